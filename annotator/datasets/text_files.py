"""Text files of published data sets, read so that an error names file and line."""

import json
import os
from collections.abc import Iterator
from typing import Any


def numbered_lines(path: str) -> Iterator[tuple[str, str]]:
    """The non-empty lines of a UTF-8 text file.

    Args:
        path: The file.

    Yields:
        `("NAME line N", text)`, without white space around the text.

    Raises:
        ValueError: When a line is not UTF-8.
    """
    name = os.path.basename(path)
    for number, line in enumerate(decoded_lines(path), start=1):
        if line.strip():
            yield f"{name} line {number}", line.strip()


def read_words(path: str) -> list[str]:
    """The words of a UTF-8 text file, one a line.

    Args:
        path: The file.

    Returns:
        The words in the order of the lines.

    Raises:
        ValueError: When a word stands twice; names both lines.
    """
    words: dict[str, str] = {}
    for where, word in numbered_lines(path):
        if word in words:
            raise ValueError(
                f"{where}: the word {word!r} is already on {words[word]}; each word "
                "needs one line, since it is one column of the tags."
            )
        words[word] = where
    return list(words)


def decoded_lines(path: str) -> Iterator[str]:
    """The lines of a UTF-8 text file.

    Args:
        path: The file.

    Yields:
        A line with its end.

    Raises:
        ValueError: When a line is not UTF-8; names the line.
    """
    with open(path, "rb") as file:
        for number, raw in enumerate(file, start=1):
            try:
                # utf-8-sig: some editors put a byte order mark on the first line.
                yield raw.decode("utf-8-sig" if number == 1 else "utf-8")
            except UnicodeDecodeError as error:
                raise ValueError(
                    f"{os.path.basename(path)} line {number} is not UTF-8 text "
                    f"({error}); convert the file to UTF-8."
                ) from error


def read_json(path: str) -> Any:
    """The content of a JSON file.

    Args:
        path: The file.

    Returns:
        The content, of whatever type it is.

    Raises:
        ValueError: When it is no JSON; names file and line.
    """
    try:
        return json.loads("".join(decoded_lines(path)))
    except json.JSONDecodeError as error:
        raise ValueError(
            f"{os.path.basename(path)} line {error.lineno} is not JSON: {error.msg}. "
            "Is the download complete?"
        ) from error


def first_existing(directory: str, *names: str) -> str | None:
    """Finds the first of several files that is there.

    Args:
        directory: Folder to look in.
        *names: Names of files, the preferred one first.

    Returns:
        A path, or `None` where there is none of them.
    """
    for name in names:
        path = os.path.join(directory, name)
        if os.path.isfile(path):
            return path
    return None


def required_file(directory: str, *names: str) -> str:
    """Finds the first of several files, one of which must be there.

    Args:
        directory: Folder to look in.
        *names: Names of files, the preferred one first.

    Returns:
        A path.

    Raises:
        FileNotFoundError: When there is none of them; names them all.
    """
    path = first_existing(directory, *names)
    if path is None:
        raise FileNotFoundError(
            f"No {' or '.join(names)} in {directory}; put the published file there, "
            "or pass the right --data_dir."
        )
    return path
