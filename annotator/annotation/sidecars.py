"""Sidecars: files beside the images that say what their records say."""

import contextlib
import dataclasses
import errno
import functools
import json
import os
import pathlib
from collections.abc import Mapping
from datetime import datetime, timezone

from annotator import files
from annotator.annotation.record_file import to_json
from annotator.annotation.records import Record
from annotator.metadata.edit import Change, edit
from annotator.metadata.embedding import EMBEDDING_EXTENSIONS, Exiv2, embed
from annotator.metadata.journal import Journal
from annotator.metadata.keywords import Mark
from annotator.metadata.patch import make_patch
from annotator.metadata.sidecar import (
    SIDECAR_NAMES,
    read_file,
    sidecar_path,
    write_file,
)

SIDECARS = ("txt", "json", "xmp")
_NO_ROOM = (errno.ENOSPC, errno.EDQUOT, errno.EFBIG)
POLICIES = ("merge", "skip", "replace_own")


@dataclasses.dataclass(frozen=True)
class SidecarOptions:
    """How sidecars are named, and what becomes of those that are there.

    Attributes:
        name: `"photo.jpg"` for `photo.jpg.xmp`, `"photo"` for `photo.xmp`.
        policy: `"merge"` writes into XMP of others, and over what a run wrote; `"skip"`
            leaves every file that is there; `"replace_own"` leaves those that no run
            wrote, or that somebody edited since.
        language: The captions' language, for XMP.
        run: The run, for XMP and the journal.
        models: From task to name and version of its model, for XMP.
        journal: Where what is written is noted; `None` for nowhere.
    """

    name: str = SIDECAR_NAMES[0]
    policy: str = POLICIES[0]
    language: str = "en"
    run: str = ""
    models: Mapping[str, tuple[str, str]] = dataclasses.field(default_factory=dict)
    journal: Journal | None = None


def write_sidecar(
    record: Record, kind: str, options: SidecarOptions | None = None
) -> None:
    """Writes a sidecar beside an image.

    Where it cannot be written, or a file of its name says something else and cannot be
    merged, the record gets an `error` that says so.

    Args:
        record: The record of an image that could be read; may be changed.
        kind: `"txt"`, a line for each caption and one of all tags; `"json"`, the
            record; or `"xmp"`, keywords and caption as other programs read them.
        options: Its name, and what becomes of one that is there.

    Raises:
        OSError: When the disk is full, so that others would fare no better, or the
            journal cannot be written.
    """
    options = options or SidecarOptions()
    path = sidecar_path(record["image"], options.name, kind)
    if options.policy == "skip" and os.path.lexists(path):
        return
    try:
        before = read_file(path)
        own = before is None or _is_own(path, before, record, options.journal)
        if not own and (options.policy == "replace_own" or kind != "xmp"):
            if options.policy == "merge":
                record["error"] = (
                    f"{path} exists and was not written for this: move it away, or "
                    "annotate to another --output without --sidecars or with "
                    "--sidecars_policy=skip."
                )
            return
        after = _content(record, kind, before, options)
        if after != before and _may_write(path, record, before, after, options):
            _remove_leftovers(os.path.dirname(path))
            write_file(path, after)
    except ValueError as error:
        record["error"] = f"{path} cannot be merged: {error}"
    except OSError as error:
        # On a full disk nothing will go better; a folder may be an exception.
        if error.errno in (*_NO_ROOM, None):
            raise
        record["error"] = f"{path} cannot be written: {error.strerror}"


def write_into_image(record: Record, exiv2: Exiv2, options: SidecarOptions) -> None:
    """Writes keywords and caption into the image file itself, see `embed`.

    Where that cannot be, the record gets an `error` that says so.

    Args:
        record: The record of an image that could be read; may be changed.
        exiv2: What writes.
        options: The captions' language, the run, its models and the journal.

    Raises:
        OSError: As in `write_sidecar`.
    """
    path = record["image"]

    def note(before, after):
        if options.journal is not None:
            patch = make_patch(before, after)
            options.journal.note(options.run, path, path, patch, after)

    try:
        _remove_leftovers(os.path.dirname(path))
        embed(path, _change(record, options), exiv2, note)
    except ValueError as error:
        record["error"] = f"{path} is not written into: {error}"
    except OSError as error:
        if error.errno in _NO_ROOM:
            raise
        record["error"] = f"{path} is not written into: {error.strerror or error}"


def _may_write(path, record, before, after, options):
    """Notes what is about to be written, unless another image has it."""
    if options.journal is None:
        return True
    image = os.path.abspath(record["image"])
    other = options.journal.image_of(options.run, path)
    if other not in (None, image):
        record["error"] = (
            f"{path} is the sidecar of {other}, too: use "
            f"--sidecar_name={SIDECAR_NAMES[0]}."
        )
        return False
    options.journal.note(options.run, path, image, before, after)
    return True


def _content(record, kind, before, options):
    if kind != "xmp":
        return _sidecar_text(record, kind).encode("utf-8")
    return edit(before, _change(record, options))


def _change(record, options):
    """What a record says, as a change of XMP."""
    time = datetime.now(timezone.utc).isoformat(timespec="seconds")

    def mark(task, text, score, language=""):
        model, version = options.models.get(task, ("", ""))
        return Mark(text, score, model, version, options.run, time, language)

    change = Change()
    if "tags" in record:
        pairs = zip(record["tags"], record["tag_scores"], strict=True)
        change = dataclasses.replace(
            change, machine=[mark("tagger", *pair) for pair in pairs]
        )
    if "caption" in record:
        caption = (record["caption"], record["caption_score"], options.language)
        change = dataclasses.replace(change, caption=mark("captioner", *caption))
    return change


@functools.lru_cache(maxsize=1024)
def _remove_leftovers(folder):
    """Removes what a kill left in a folder, once: it may hold many images."""
    entries = pathlib.Path(folder).glob(".annotator-*")
    ours = (*(f".{kind}" for kind in SIDECARS), *EMBEDDING_EXTENSIONS)
    files.remove_leftovers(e for e in entries if e.suffix.lower() in ours)


def _sidecar_text(record, kind):
    if kind == "json":
        return to_json(record, indent=2) + "\n"
    captions = record.get("captions") or [record]
    lines = [each["caption"] for each in captions if "caption" in each]
    if "tags" in record:
        lines.append(", ".join(record["tags"]))
    return "\n".join(lines) + "\n"


def _is_own(path, content, record, journal):
    """Whether a run wrote this, and nothing is lost when the file is written again.

    A run that was cut off leaves such files, without a record of them. The last digits
    of a score may be others then: they depend on the other images of a batch.
    """
    if journal is not None and journal.wrote(path, content):
        return True
    if content == _sidecar_text(record, "txt").encode("utf-8"):
        return True
    with contextlib.suppress(ValueError, RecursionError):
        return _without_scores(json.loads(content)) == _without_scores(record)
    return False


def _without_scores(value):
    if isinstance(value, dict):
        return {
            key: _without_scores(inner)
            for key, inner in value.items()
            if "score" not in key and "probabilit" not in key
        }
    if isinstance(value, list):
        return [_without_scores(inner) for inner in value]
    return value
