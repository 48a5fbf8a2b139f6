"""`keyworded`: photographs with keywords, as photo programs write them.

The data directory holds the images, subfolders allowed; hidden ones are left out and
linked ones not followed. An image's keywords are those of its sidecar
(`photo.jpg.xmp`, then `photo.xmp`) or, where there is none, those in the file: XMP or
IPTC. What a machine wrote is left out, so that a tagger never learns its own guesses;
images without a person's keyword are left out, too.

A keyword in a hierarchy is a word with the path before it, `animal|dog`, and its image
also has the words above it, `animal`. The words are all there are, sorted. The split of
an image is that of a hash of its name, as in `annotator.datasets.own.folder`.
"""

import os
from collections.abc import Iterator

import numpy as np

from annotator.datasets.annotated_images import AnnotatedImages
from annotator.datasets.listing import ListedImage, find_listed_images
from annotator.datasets.own.splits import LEAST_IMAGES, hashed_splits
from annotator.files.image_formats import PHOTO_EXTENSIONS
from annotator.metadata.embedded import read_image


def read(
    name: str,
    split: str,
    *,
    data_dir: str,
    cache_dir: str,
    skip_bad_images: bool,
) -> AnnotatedImages:
    """Reads one split; see `registry.load` for the arguments.

    Returns:
        `AnnotatedImages` with tags. The ids are the images' paths below the data
        directory.

    Raises:
        FileNotFoundError: When no image has a keyword that a person wrote.
        ValueError: When XMP or an image is damaged, unless `skip_bad_images` is set, or
            a split would be empty.
    """
    del cache_dir
    keywords: dict[str, list[str]] = {}
    count = 0
    for image in _images_below(data_dir):
        count += 1
        try:
            human = read_image(os.path.join(data_dir, image)).human
        except (OSError, ValueError) as error:
            if skip_bad_images:
                continue  # no keywords, no use
            raise ValueError(
                f"The keywords of {image} in {data_dir} cannot be read: {error} Leave "
                "such images out with --skip_bad_images."
            ) from error
        if human:
            keywords[image] = [word for path in human for word in _with_parents(path)]
    if not keywords:
        raise FileNotFoundError(
            f"None of the {count} images in {data_dir} has a keyword that a person "
            "wrote, in a sidecar (photo.jpg.xmp, photo.xmp) or in the file; pass the "
            "right --data_dir."
        )
    splits = hashed_splits(keywords)
    chosen = [image for image in keywords if splits[image] in split.split("+")]
    if not chosen:
        raise ValueError(
            f"{data_dir}: only {len(keywords)} of {count} images have keywords, and "
            f"none is in the split {split!r}: {LEAST_IMAGES} suffice."
        )
    words = sorted({word for each in keywords.values() for word in each})
    columns = {word: column for column, word in enumerate(words)}
    tags = np.zeros((len(chosen), len(words)), bool)
    for row, image in enumerate(chosen):
        tags[row, [columns[word] for word in keywords[image]]] = True
    return find_listed_images(
        name,
        split,
        [ListedImage(image, image, image) for image in chosen],
        [data_dir],
        skip_bad_images,
        words=words,
        tags=tags,
    )


def _with_parents(path: str) -> list[str]:
    """`animal`, `animal|dog` of `animal|dog`."""
    parts = [part.strip() for part in path.split("|") if part.strip()]
    return ["|".join(parts[:end]) for end in range(1, len(parts) + 1)]


def _images_below(folder: str) -> Iterator[str]:
    """Paths of images below a folder, in order."""
    for root, folders, names in os.walk(folder):
        folders[:] = sorted(each for each in folders if not each.startswith("."))
        for name in sorted(names):
            if not name.startswith(".") and name.lower().endswith(PHOTO_EXTENSIONS):
                yield os.path.relpath(os.path.join(root, name), folder)
