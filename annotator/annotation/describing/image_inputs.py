"""Images as Python programs have them: paths, bytes, arrays and Pillow's images."""

import os
from collections.abc import Mapping
from typing import Any, TypeAlias

import numpy as np
import tensorflow as tf
from PIL import Image

from annotator.annotation.listing import read_image
from annotator.annotation.records import NamedContent
from annotator.images.encode import encode_image

# The path of an image file, its content, or pixels.
ImageInput: TypeAlias = (
    str | os.PathLike | bytes | bytearray | memoryview | np.ndarray | Image.Image
)

_PATHS = (str, os.PathLike)
_CONTENTS = (bytes, bytearray, memoryview)
_PIXELS = (np.ndarray, tf.Tensor, Image.Image)


def is_one_image(value: Any) -> bool:
    """Whether a value stands for one image, even a bad one, and not for several.

    Args:
        value: Anything. Several images are what can be iterated over, but for paths,
            bytes, pixels, and what would be taken apart: mappings and open files.
    """
    kinds = (*_PATHS, *_CONTENTS, *_PIXELS, Mapping)
    return isinstance(value, kinds) or hasattr(value, "read") or not _iterates(value)


def take_image(image: Any, name: str) -> tuple[str, bytes | Exception | None]:
    """Takes all that is needed of an image, which may change afterwards.

    Args:
        image: An `ImageInput`.
        name: What it is called, if it is no path.

    Returns:
        `(name, content)`: the bytes of an image file, an exception that says why there
        are none, or `None` for a path, `name`, whose file is still to be read.
    """
    if isinstance(image, _PATHS):
        return os.fsdecode(image), None
    if isinstance(image, _CONTENTS):
        return name, bytes(image)
    if isinstance(image, _PIXELS):
        try:
            is_tensor = isinstance(image, tf.Tensor)
            return name, encode_image(image.numpy() if is_tensor else image)
        except MemoryError:  # no image's fault
            raise
        except Exception as error:  # Pillow may be loading a file that is damaged
            return name, error
    return name, TypeError(
        f"{type(image).__name__} is no image: give a path, the bytes of an image file, "
        "a uint8 array or a Pillow image."
    )


def read_taken(taken: tuple[str, bytes | Exception | None]) -> NamedContent:
    """Reads the file of an image that was given as a path.

    Args:
        taken: A result of `take_image`.

    Returns:
        `(name, content)`, where `content` is not `None` any more.
    """
    name, content = taken
    return read_image(name) if content is None else (name, content)


def _iterates(value):
    try:
        iter(value)
    except TypeError:
        return False
    return True
