"""Sidecars: files beside the images that say what their records say."""

import contextlib
import errno
import functools
import json
import os
import pathlib

from annotator import files
from annotator.annotation.record_file import to_json
from annotator.annotation.records import Record

SIDECARS = ("txt", "json")


def write_sidecar(record: Record, kind: str) -> None:
    """Writes `IMAGE.txt` or `IMAGE.json` beside an image.

    Where it cannot be written, or a file of its name says something else, the record
    gets an `error` that says so.

    Args:
        record: The record of an image that could be read; may be changed.
        kind: `"txt"`, a line for each caption and one of all tags, or `"json"`, the
            record.

    Raises:
        OSError: When the disk is full, so that others would fare no better.
    """
    text = _sidecar_text(record, kind)
    path = f"{record['image']}.{kind}"
    try:
        if os.path.lexists(path) and not _says_the_same(path, record, text):
            record["error"] = (
                f"{path} exists and was not written for this: move it away, and "
                "annotate the image again without --sidecars or to another --output."
            )
            return
        _remove_leftovers(os.path.dirname(path))
        files.write_text(path, text)
    except OSError as error:
        # On a full disk nothing will go better; a folder may be an exception.
        if error.errno in (errno.ENOSPC, errno.EDQUOT, errno.EFBIG):
            raise
        record["error"] = f"{path} cannot be written: {error.strerror}"


@functools.lru_cache(maxsize=1024)
def _remove_leftovers(folder):
    """Removes what a kill left in a folder, once: it may hold many images."""
    entries = pathlib.Path(folder).glob(".annotator-*")
    files.remove_leftovers(e for e in entries if e.suffix[1:] in SIDECARS)


def _sidecar_text(record, kind):
    if kind == "json":
        return to_json(record, indent=2) + "\n"
    captions = record.get("captions") or [record]
    lines = [each["caption"] for each in captions if "caption" in each]
    if "tags" in record:
        lines.append(", ".join(record["tags"]))
    return "\n".join(lines) + "\n"


def _says_the_same(path, record, text):
    """Whether nothing is lost when a file is written again.

    A run that was cut off leaves such files, without a record of them. The last digits
    of a score may be others then: they depend on the other images of a batch.
    """
    if not os.path.isfile(path):  # opening a pipe would wait for somebody
        return False
    with open(path, encoding="utf-8", errors="replace") as file:
        written = file.read()
    if written == text:
        return True
    with contextlib.suppress(ValueError, RecursionError):
        return _without_scores(json.loads(written)) == _without_scores(record)
    return False


def _without_scores(value):
    if isinstance(value, dict):
        return {
            key: _without_scores(inner)
            for key, inner in value.items()
            if "score" not in key
        }
    if isinstance(value, list):
        return [_without_scores(inner) for inner in value]
    return value
