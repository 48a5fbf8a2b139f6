"""From a published list of images to `AnnotatedImages`: shared by the file readers."""

import json
import os
from collections.abc import Iterator, Sequence
from typing import NamedTuple

import numpy as np

from annotator.datasets.annotated_images import AnnotatedImages
from annotator.datasets.image_files import EXTENSIONS, ImageDirectory, ImageFiles

# Where the images of a caption data set lie, as its archives unpack.
IMAGE_FOLDERS = (
    "",
    "Flicker8k_Dataset",  # so spelt
    "Flickr8k_Dataset",
    "flickr30k-images",
    "flickr30k_images",
    "Images",
    "images",
)

# One row in this many goes to validation where a data set publishes none.
VALIDATION_EVERY = 9


class Listed(NamedTuple):
    """One image of a published list."""

    image_id: str
    file: str  # path below one of the image directories, extension optional
    where: str  # "corel5k_train_list.txt line 3", for error messages


def annotated_images(
    name: str,
    split: str,
    listed: Sequence[Listed],
    directories: Sequence[str],
    skip_bad_images: bool,
    words: Sequence[str] = (),
    tags: np.ndarray | None = None,
    captions: Sequence[Sequence[str]] | None = None,
) -> AnnotatedImages:
    """Finds the listed files and puts them together with their annotations.

    Args:
        name: The data set's name.
        split: The split's name.
        listed: N images.
        directories: Folders to look in for the files.
        skip_bad_images: Leave out missing and empty files instead of failing.
        words: W tag words.
        tags: bool `[N, W]`, or `None`.
        captions: N sequences of captions, or `None`.

    Raises:
        FileNotFoundError: A listed image is missing or empty, or all of them are;
            names the list's line.
        ValueError: An image is listed twice; names both lines.
    """
    folder = ImageDirectory(*directories)
    lines = {}
    for image_id, _, where in listed:
        if image_id in lines:
            raise ValueError(
                f"{where}: the image {image_id!r} is already in {lines[image_id]}; "
                "remove one of the two."
            )
        lines[image_id] = where
    paths, kept, skipped = [], [], []
    for row, (image_id, file, where) in enumerate(listed):
        path = folder.find(file)
        reason = _defect(path)
        if reason is None:
            paths.append(path)
            kept.append(row)
        elif skip_bad_images:
            skipped.append((image_id, reason))
        else:
            raise FileNotFoundError(
                f"{where}: image {file!r} {reason}; looked in "
                f"{', '.join(directories)}, also with {' '.join(EXTENSIONS)}. Put the "
                "file there, or leave such images out with --skip_bad_images."
            )
    if skipped and not kept:
        raise FileNotFoundError(
            f"None of the {len(listed)} listed images is there ({listed[0].where}: "
            f"{listed[0].file!r} {skipped[0][1]}); looked in {', '.join(directories)}. "
            "Pass the right --data_dir."
        )
    return AnnotatedImages(
        name=name,
        split=split,
        image_ids=tuple(listed[row].image_id for row in kept),
        source=ImageFiles(paths),
        words=tuple(words),
        tags=None if tags is None else tags[kept],
        captions=captions and tuple(tuple(captions[row]) for row in kept),
        skipped=tuple(skipped),
    )


def carve(count: int, split: str) -> np.ndarray:
    """Rows of an official training list that belong to `split`.

    Validation takes every ninth row, those with `row % 9 == 8`: such lists are
    sorted by their origin (Corel5k's by photo CD), so a block of rows would hold
    subjects that the remaining rows do not show.

    Args:
        count: Number of rows of the official training list.
        split: `"train"`, `"validation"` or `"train+validation"` (all rows).

    Returns:
        int64 row numbers, increasing.
    """
    rows = np.arange(count)
    is_validation = rows % VALIDATION_EVERY == VALIDATION_EVERY - 1
    return {
        "train": rows[~is_validation],
        "validation": rows[is_validation],
        "train+validation": rows,
    }[split]


def numbered_lines(path: str) -> Iterator[tuple[str, str]]:
    """The non-empty lines of a UTF-8 text file as `("NAME line N", text)`."""
    name = os.path.basename(path)
    for number, line in enumerate(decoded_lines(path), start=1):
        if line.strip():
            yield f"{name} line {number}", line.strip()


def read_words(path: str) -> list[str]:
    """The words of a UTF-8 text file, one a line; one that stands twice is an error."""
    words = {}
    for where, word in numbered_lines(path):
        if word in words:
            raise ValueError(
                f"{where}: the word {word!r} is already on {words[word]}; each word "
                "needs one line, since it is one column of the tags."
            )
        words[word] = where
    return list(words)


def decoded_lines(path: str) -> Iterator[str]:
    """The lines of a UTF-8 text file, with their ends; other text is an error."""
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


def read_json(path: str):
    """The content of a JSON file; bad JSON is an error naming file and line."""
    try:
        return json.loads("".join(decoded_lines(path)))
    except json.JSONDecodeError as error:
        raise ValueError(
            f"{os.path.basename(path)} line {error.lineno} is not JSON: {error.msg}. "
            "Is the download complete?"
        ) from error


def first_existing(directory: str, *names: str) -> str | None:
    """The path of the first of `names` that exists in `directory`, or `None`."""
    for name in names:
        path = os.path.join(directory, name)
        if os.path.isfile(path):
            return path
    return None


def required_file(directory: str, *names: str) -> str:
    """Like `first_existing`, but none of them existing is an error naming them."""
    path = first_existing(directory, *names)
    if path is None:
        raise FileNotFoundError(
            f"No {' or '.join(names)} in {directory}; put the published file there, "
            "or pass the right --data_dir."
        )
    return path


def _defect(path):
    if path is None:
        return "is missing"
    if os.path.getsize(path) == 0:
        return "is an empty file"
    return None
