"""Texts, JSON and CSV as files, and what tells a file from another."""

import csv
import hashlib
import json
import os
import pathlib
import re
from collections.abc import Iterable
from typing import Any, overload

from annotator.files.atomic import atomic_file

# What spreadsheets take for a formula; the wide ones where such letters are written.
_FORMULA = re.compile("'*[=+\\-@\t\r\uff1d\uff0b\uff0d\uff20]")
_NUMBER = r"-?[0-9]+(\.[0-9]+)?(e[-+]?[0-9]+)?"
_NUMBERS = re.compile(f"{_NUMBER}(;{_NUMBER})*")


def write_text(path: str | os.PathLike[str], text: str) -> None:
    """Writes UTF-8 text atomically.

    Args:
        path: The file.
        text: Its content.
    """
    with atomic_file(path) as file:
        file.write(text)


def write_json(path: str | os.PathLike[str], value: Any) -> None:
    """Writes a value as indented JSON, atomically.

    Args:
        path: The file.
        value: What `json` can write.
    """
    write_text(path, json.dumps(value, indent=2, ensure_ascii=False) + "\n")


def write_csv(
    path: str | os.PathLike, header: Iterable[str], rows: Iterable[Iterable]
) -> None:
    """Writes a CSV file atomically, with no text that a spreadsheet would run.

    Args:
        path: The file.
        header: Names of the columns.
        rows: Values of each row.
    """
    with atomic_file(path, newline="") as file:
        writer = csv.writer(file)
        writer.writerow(header)
        writer.writerows([without_formula(value) for value in row] for row in rows)


def without_formula(value: Any) -> Any:
    """A cell of a CSV file that a spreadsheet shows and does not run.

    Args:
        value: The cell.

    Returns:
        Text that begins like a formula with an apostrophe before it, which
        spreadsheets take for the mark of a text; all else as it is.
    """
    if not isinstance(value, str) or not _FORMULA.match(value):
        return value
    return value if _NUMBERS.fullmatch(value) else f"'{value}"


def with_formula(text: str) -> str:
    """The text of which `without_formula` made this one."""
    return text[1:] if text.startswith("'") and _FORMULA.match(text) else text


def read_json(path: str | os.PathLike[str]) -> Any:
    """Reads a JSON file.

    Args:
        path: The file.

    Returns:
        Its value.

    Raises:
        ValueError: When the file is not JSON; the message names it.
    """
    try:
        return json.loads(pathlib.Path(path).read_text(encoding="utf-8"))
    except (json.JSONDecodeError, UnicodeDecodeError) as error:
        raise ValueError(f"{path} is not a JSON file: {error}") from error


def sha256(path: str | os.PathLike[str]) -> str:
    """Hashes a file's content.

    Args:
        path: The file.

    Returns:
        SHA-256, as hex.
    """
    return hashlib.sha256(pathlib.Path(path).read_bytes()).hexdigest()


@overload
def absolute(path: None) -> None: ...
@overload
def absolute(path: str) -> str: ...
def absolute(path: str | None) -> str | None:
    """Makes a path absolute, with `~` expanded.

    Args:
        path: A path; `None` stays.

    Returns:
        The absolute path, or `None`.
    """
    return path and os.path.abspath(os.path.expanduser(path))
