"""Annotation files of a folder of images: tags and captions in CSV, JSONL or text."""

import csv
import json
import os
import re
from collections.abc import Iterator
from typing import NamedTuple

from annotator.datasets.text_files import decoded_lines, numbered_lines

_TRUTH = {"1": True, "true": True, "0": False, "false": False, "": False}


class Line(NamedTuple):
    """What one line of a file says of an image."""

    where: str  # "tags.csv line 3", for error messages
    image: str
    texts: list[str]  # its tags or captions
    split: str | None


def tag_lines(path: str | None) -> Iterator[Line]:
    """The lines of a tags file.

    Args:
        path: `tags.csv` or `tags.jsonl`; `None` for no lines.

    Yields:
        Line whose texts are tags.

    Raises:
        ValueError: When a line is malformed; names it.
    """
    items = list(_items(path, "tags"))
    texts = [item["tags"] for _, item in items if isinstance(item["tags"], str)]
    separator = ";" if any(";" in text for text in texts) else ","
    for where, item in items:
        tags = item["tags"]
        if isinstance(tags, str):
            tags = _separated(tags, separator, where)
        if not _is_texts(tags) or not all(tag.strip() for tag in tags):
            raise ValueError(
                f"{where}: `tags` must be a list of words, none empty; got {tags!r}."
            )
        tags = [tag.strip() for tag in tags]
        yield Line(where, item["image"], tags, item.get("split"))


def caption_lines(path: str | None) -> Iterator[Line]:
    """The lines of a captions file.

    Args:
        path: `captions.txt`, `captions.csv` or `captions.jsonl`; `None` for no lines.

    Yields:
        Line whose texts are captions.

    Raises:
        ValueError: When a line is malformed; names it.
    """
    if path and path.endswith(".txt") and not _is_csv(path):
        for where, line in numbered_lines(path):
            image, tab, caption = line.partition("\t")
            if not tab or not caption.strip():
                raise ValueError(
                    f"{where}: expected IMAGE, a tab and a caption; got {line[:60]!r}. "
                    "(A file with commas is a captions.csv.)"
                )
            image = re.sub(r"#\d+$", "", image.strip())
            yield Line(where, image, [caption.strip()], None)
        return
    for where, item in _items(path, "captions", "caption"):
        captions = item["captions"] if "captions" in item else item["caption"]
        captions = [captions] if isinstance(captions, str) else captions
        if not _is_texts(captions) or not all(text.strip() for text in captions):
            raise ValueError(
                f"{where}: a caption must be a text, not empty; got {captions!r}."
            )
        captions = [caption.strip() for caption in captions]
        yield Line(where, item["image"], captions, item.get("split"))


def _separated(text, separator, where):
    """The tags in a text; `separator` is the one of the whole file."""
    if re.fullmatch(r"\s*\[.*\]\s*", text):  # as programs print lists
        raise ValueError(
            f"{where}: {text!r} is a list: write its tags as `sea;sand`, or the list "
            "into a tags.jsonl."
        )
    if separator == ";" and "," in text and ";" not in text:
        raise ValueError(
            f"{where}: is {text!r} one tag or several? Other lines have semicolons "
            f"between tags: write {text.replace(',', ';')!r}, or, for a tag with a "
            "comma in it, a tags.jsonl with lists."
        )
    return [tag.strip() for tag in text.split(separator) if tag.strip()]


def _items(path, *keys):
    """The rows of a CSV or JSONL file, each with `image` and one of `keys`."""
    if path is None:
        return
    name = os.path.basename(path)
    needs = f"`image` and `{'` or `'.join(keys)}`"
    if path.endswith((".csv", ".txt")):
        yield from _csv_items(path, name, needs, keys)
        return
    for where, line in numbered_lines(path):
        try:
            item = json.loads(line)
        except json.JSONDecodeError as error:
            raise ValueError(f"{where} is not JSON: {error}.") from error
        if not (isinstance(item, dict) and "image" in item and set(keys) & set(item)):
            raise ValueError(
                f"{where} must be an object with {needs}; got {line[:60]}."
            )
        yield where, item


def _is_csv(path):
    """Whether a file begins with the header of `captions.csv`."""
    header = next(iter(decoded_lines(path)), "").strip().split(",")
    return {"image", "caption"} <= set(header)


def _csv_items(path, name, needs, keys):
    """The rows of a CSV file; `where` names the line on which a row begins."""
    lines = csv.DictReader(decoded_lines(path), skipinitialspace=True, strict=True)
    number = 1
    try:
        header = lines.fieldnames or []
        words = _word_columns(header, keys)
        keys = (*keys, *words)
        if "image" not in header or not set(keys) & set(header):
            raise ValueError(
                f"{name} line 1: the header must name {needs}; it is "
                f"{','.join(header)!r}."
            )
        number = lines.line_num + 1
        for item in lines:
            where = f"{name} line {number}"
            if None in item or None in item.values():
                raise ValueError(
                    f"{where} does not have the {len(header)} fields of the "
                    "header; a field with a comma in it needs double quotes."
                )
            if words:
                item["tags"] = [w for w in words if _is_set(item[w], w, where)]
            yield where, item
            number = lines.line_num + 1
    except csv.Error as error:
        raise ValueError(
            f"{name} line {number} is not CSV ({error}): a field that begins with a "
            "double quote ends with one, and one inside it is written twice."
        ) from error


def _word_columns(header, keys):
    """The columns that are words, of a file of tags without the column `tags`."""
    if keys != ("tags",) or "tags" in header:
        return []
    return [column for column in header if column not in ("image", "split")]


def _is_set(value, word, where):
    truth = _TRUTH.get(value.strip().lower())
    if truth is None:
        raise ValueError(
            f"{where}: the column {word!r} must hold 1 or 0, since the header names "
            f"no column `tags`; got {value!r}. (Tags in one column: image,tags and "
            "sea;sand.)"
        )
    return truth


def _is_texts(value):
    return isinstance(value, list) and all(isinstance(text, str) for text in value)
