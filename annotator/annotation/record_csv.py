"""Records as a CSV file."""

import csv
import os
from collections.abc import Iterable, Iterator
from typing import Any

from annotator import files


def write(
    path: str | os.PathLike, rows: Iterable[dict[str, Any]], formulas: bool = False
) -> None:
    """Writes a CSV file, atomically.

    Args:
        path: The file.
        rows: Dicts from column to value, all with the same keys. Bytes of a file name
            that are no text are written as they are.
        formulas: Whether text that begins like a formula is written as it is;
            otherwise as `files.without_formula` says.
    """
    with files.atomic_file(path, newline="", errors="surrogateescape") as file:
        writer = None
        for row in rows:
            if writer is None:
                writer = csv.DictWriter(file, list(row))
                writer.writeheader()
            if not formulas:
                row = {key: files.without_formula(value) for key, value in row.items()}
            writer.writerow(row)


def errors(
    path: str | os.PathLike, formulas: bool = False
) -> Iterator[tuple[str, str]]:
    """The errors in a file.

    Args:
        path: The file.
        formulas: As in `write`.

    Yields:
        `(image, error)` of each record; an empty text for no error.
    """
    csv.field_size_limit(2**31 - 1)  # thousands of tags are one field
    with open(path, newline="", encoding="utf-8", errors="surrogateescape") as file:
        for row in csv.DictReader(file):
            name = row["image"]
            yield name if formulas else files.with_formula(name), row["error"]
