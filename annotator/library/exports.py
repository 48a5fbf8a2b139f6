"""A library's words and captions for other programs: records, CSV, a data set."""

import csv
import io
import json
import os
import pathlib
from collections.abc import Iterable, Iterator, Mapping
from typing import Any

from annotator import files


def to_jsonl(records: Iterable[Mapping[str, Any]]) -> Iterator[str]:
    """Writes records as JSON, one a line.

    Args:
        records: As `Session.details` makes them.

    Yields:
        Lines: `image`, `caption`, `caption_by`, `tags` (accepted), `rejected` and
        `suggested`, a list of pairs of a word and its score.
    """
    for record in records:
        line = {
            "image": record["name"],
            "caption": record["caption"],
            "caption_by": record["caption_by"],
            "tags": record["accepted"],
            "rejected": record["rejected"],
            "suggested": record["suggested"],
        }
        yield json.dumps(line, ensure_ascii=False) + "\n"


def to_csv(records: Iterable[Mapping[str, Any]]) -> Iterator[str]:
    """Writes records as CSV: words of a column are separated by `;`.

    Text that a spreadsheet would run has an apostrophe before it.

    Args:
        records: As `Session.details` makes them.

    Yields:
        Lines, the first of them the header.
    """
    yield _csv_line(["image", "caption", "caption_by", "tags", "rejected", "suggested"])
    for record in records:
        yield _csv_line(
            [
                files.without_formula(text)
                for text in (
                    record["name"],
                    record["caption"],
                    record["caption_by"],
                    ";".join(record["accepted"]),
                    ";".join(record["rejected"]),
                    ";".join(word for word, _ in record["suggested"]),
                )
            ]
        )


def write_data_set(
    folder: str | os.PathLike,
    root: str | os.PathLike,
    records: Iterable[Mapping[str, Any]],
) -> int:
    """Writes a data set that `train --dataset=folder --data_dir=FOLDER` reads.

    `images` is a link to the photographs, which are not copied; `tags.jsonl` has the
    photographs with accepted words, `captions.jsonl` those with a person's caption.

    Args:
        folder: The folder; its files of these names are replaced.
        root: The folder of the photographs.
        records: As `Session.details` makes them.

    Returns:
        How many photographs have words.

    Raises:
        ValueError: When there are none.
    """
    folder = pathlib.Path(folder)
    tags, captions = [], []
    for record in records:
        if record["accepted"]:
            tags.append({"image": record["name"], "tags": record["accepted"]})
        if record["caption_by"] == "person":
            captions.append({"image": record["name"], "captions": [record["caption"]]})
    if not tags:
        raise ValueError("No photograph has an accepted word: accept some first.")
    folder.mkdir(parents=True, exist_ok=True)
    link = folder / "images"
    if link.is_symlink() and os.readlink(link) != os.fspath(root):
        link.unlink()
    if not link.is_symlink():
        link.symlink_to(root, target_is_directory=True)
    _write_lines(folder / "tags.jsonl", tags)
    if captions:
        _write_lines(folder / "captions.jsonl", captions)
    else:
        (folder / "captions.jsonl").unlink(missing_ok=True)
    return len(tags)


def _write_lines(path, records):
    lines = (json.dumps(record, ensure_ascii=False) + "\n" for record in records)
    files.write_text(path, "".join(lines))


def _csv_line(values):
    line = io.StringIO()
    csv.writer(line).writerow(values)
    return line.getvalue()
