"""The content of any image file as one that graphs decode."""

import os

from annotator.files.image_formats import JPEG_BEGIN
from annotator.images.claimed import (
    MAX_PIXELS,
    check_pixels,
    claimed_pixels,
    claims_alpha,
)
from annotator.images.photos.converters import convert_elsewhere
from annotator.images.photos.kinds import photo_kind


def graph_content(
    content: bytes,
    name: str | os.PathLike[str] = "",
    max_pixels: int = MAX_PIXELS,
) -> bytes:
    """Turns an image file into one that `decode_image` reads.

    The picture is upright, as the file says, and of several pictures it is the first.
    One of more than `conversion.WHOLE_PIXELS` is made smaller by a power of two.

    Args:
        content: The content of a file.
        name: The file's name or path, as far as it has one.
        max_pixels: How many pixels a picture may have, half of it one with alpha. Of
            more than `MAX_PIXELS`, a picture that graphs decode is converted, too.
            JPEGs have a limit of their own.

    Returns:
        The content of a BMP, PNG or JPEG with the same pixels; `content` itself where
        graphs decode it, or where it is nothing that is known.

    Raises:
        ValueError: When it is damaged, has more than `max_pixels` pixels, takes more
            time or memory than a picture may, or needs a package that is not
            installed; the message says so.
        OSError: When no process can be started to decode it.
    """
    kind = photo_kind(content[:64], os.fspath(name))
    if kind is None and not content.startswith(JPEG_BEGIN):
        pixels = claimed_pixels(content)
        alpha = bool(pixels) and claims_alpha(content)
        check_pixels(pixels, alpha, max_pixels)
        if pixels * (1 + alpha) > MAX_PIXELS:
            kind = "other"
    return content if kind is None else convert_elsewhere(content, kind, max_pixels)
