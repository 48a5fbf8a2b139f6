"""Published lists of images, made into `AnnotatedImages`: shared by the readers."""

import os
from collections.abc import Sequence
from typing import NamedTuple

import numpy as np

from annotator.datasets.annotated_images import AnnotatedImages
from annotator.datasets.image_files import ImageDirectory, ImageFiles
from annotator.files.image_formats import EXTENSIONS

# Where the images of a caption data set lie, as its archives unpack.
IMAGE_FOLDERS = (
    "",
    "Flicker8k_Dataset",  # so spelled
    "Flickr8k_Dataset",
    "flickr30k-images",
    "flickr30k_images",
    "Images",
    "images",
)

# One row in this many goes to validation where a data set publishes none.
VALIDATION_EVERY = 9


class ListedImage(NamedTuple):
    """One image of a published list."""

    image_id: str
    file: str  # path below one of the image directories, extension optional
    where: str  # "corel5k_train_list.txt line 3", for error messages


def find_listed_images(
    name: str,
    split: str,
    listed: Sequence[ListedImage],
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
        listed: The list of N images.
        directories: Folders to look in for the files.
        skip_bad_images: Leave out missing and empty files instead of failing.
        words: Tag words W, the columns of `tags`.
        tags: Whether an image carries a word, bool `[N, W]`; `None` for no tags.
        captions: Captions of each of the N images; `None` for no captions.

    Returns:
        The images that are there, in the order of the list.

    Raises:
        FileNotFoundError: When a listed image is missing or empty, or all of them are;
            names the list's line.
        ValueError: When an image is listed twice; names both lines.
    """
    folder = ImageDirectory(*directories)
    first_line: dict[str, str] = {}
    for image_id, _, where in listed:
        if image_id in first_line:
            raise ValueError(
                f"{where}: the image {image_id!r} is already in "
                f"{first_line[image_id]}; remove one of the two."
            )
        first_line[image_id] = where
    paths: list[str] = []
    kept: list[int] = []
    skipped: list[tuple[str, str]] = []
    for row, (image_id, file, where) in enumerate(listed):
        path = folder.find(file)
        reason = _defect(path)
        if path is not None and reason is None:
            paths.append(path)
            kept.append(row)
        elif skip_bad_images:
            skipped.append((image_id, str(reason)))
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
        captions=None
        if captions is None
        else tuple(tuple(captions[row]) for row in kept),
        skipped=tuple(skipped),
    )


def rows_of_split(count: int, split: str) -> np.ndarray:
    """Rows of an official training list that belong to a split.

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


def _defect(path):
    if path is None:
        return "is missing"
    if os.path.getsize(path) == 0:
        return "is an empty file"
    return None
