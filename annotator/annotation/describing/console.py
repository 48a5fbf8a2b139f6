"""Descriptions of image files on the console."""

import itertools
import os
import sys
import textwrap
from collections.abc import Iterable, Iterator

from annotator.annotation.describing.annotator import Annotator
from annotator.annotation.describing.description import ImageError
from annotator.annotation.listing import list_images


def print_descriptions(describe: Annotator, paths: Iterable[str]) -> int:
    """Prints each image's name and, below it, its description.

    An image that cannot be read is a line of stderr in place of that.

    Args:
        describe: What describes them.
        paths: Image files, and folders for all images in and below them.

    Returns:
        How many images could not be read.
    """
    failed = 0
    names, images = itertools.tee(_files(paths))
    described = describe.iterate(images, errors="return")
    for name, description in zip(names, described, strict=True):
        if isinstance(description, ImageError):
            failed += 1
            print(f"error: {description}", file=sys.stderr, flush=True)
        else:
            print(f"{name}\n{textwrap.indent(str(description), '  ')}", flush=True)
    return failed


def _files(paths: Iterable[str]) -> Iterator[str]:
    for path in paths:
        files = list_images(path) if os.path.isdir(path) else iter([path])
        # A folder without images is named as what cannot be read.
        yield next(files, path)
        yield from files
