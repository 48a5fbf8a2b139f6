"""Splits of images whose owner named none: by a hash of their names."""

import collections
import hashlib
from collections.abc import Iterable

LEAST_IMAGES = 3  # one for each split


def hashed_splits(images: Iterable[str]) -> dict[str, str]:
    """The split of each image by the hash of its name, none empty if that can be.

    A new image moves no other, unless a split was or gets empty.

    Args:
        images: Names of images.

    Returns:
        Dict from name to `train`, `validation` or `test`, as
        `annotator.datasets.own.folder` says.
    """
    hashes = {image: hashlib.sha256(image.encode()).digest() for image in images}
    splits = {}
    for image, digest in hashes.items():
        bucket = int.from_bytes(digest[:4], "big") % 10
        splits[image] = {8: "validation", 9: "test"}.get(bucket, "train")
    for split in ("train", "validation", "test"):
        sizes = collections.Counter(splits.values())
        if len(hashes) >= LEAST_IMAGES and not sizes[split]:
            spare = [image for image in hashes if sizes[splits[image]] > 1]
            splits[min(spare, key=hashes.__getitem__)] = split
    return splits
