"""What other decoders make of image files that graphs cannot decode.

It runs in processes that know no TensorFlow and whose time and memory are limited.
"""

import io
from typing import Any

import numpy as np
from PIL import Image, UnidentifiedImageError

from annotator.files.image_formats import NEEDS_PACKAGE, register_heif
from annotator.images.claimed import MAX_PIXELS, check_pixels
from annotator.images.encode import encode_image

# Other: what graphs decode, of more pixels than these do.
KINDS = ("raw", "heif", "avif", "tiff", "jpeg 2000", "other")
# Larger pictures are made smaller: what comes of them is held several times over. No
# view has a hundredth of that.
WHOLE_PIXELS = MAX_PIXELS // 4
# Of JPEG 2000 a core decodes few megapixels a second, and smaller ones at less cost.
_WHOLE_JPEG_2000 = MAX_PIXELS // 16
_CODING_STYLE = b"\xff\x52"  # the marker COD, ten bytes before the number of levels
_LEVELS = 9
# How LibRaw says which way up a picture belongs, as turns against the clock.
_TURNS = {3: 2, 5: 1, 6: 3}
_ORIENTATION = 0x0112
_TRANSPOSITIONS = {
    2: Image.Transpose.FLIP_LEFT_RIGHT,
    3: Image.Transpose.ROTATE_180,
    4: Image.Transpose.FLIP_TOP_BOTTOM,
    5: Image.Transpose.TRANSPOSE,
    6: Image.Transpose.ROTATE_270,
    7: Image.Transpose.TRANSVERSE,
    8: Image.Transpose.ROTATE_90,
}
_WITH_ALPHA = ("LA", "RGBA", "La", "RGBa", "PA")


def convert(content: bytes, kind: str, max_pixels: int = MAX_PIXELS) -> bytes:
    """Makes a file that graphs decode of one that they do not.

    Args:
        content: The content of a file.
        kind: One of `KINDS`.
        max_pixels: How many pixels it may have, half of it with alpha.

    Returns:
        The content of a BMP, PNG or JPEG.

    Raises:
        MemoryError: When the memory does not suffice.
        ValueError: When it is damaged, has more than `max_pixels` pixels, or needs a
            package that is not installed; the message names it.
    """
    try:
        if kind == "raw":
            return _of_raw(content, max_pixels)
        return _of_pillow(content, kind, max_pixels)
    except (MemoryError, ValueError):
        raise
    except UnidentifiedImageError as error:  # its text has an address in memory
        raise ValueError(
            f"A damaged {kind.upper()} file: no image can be made of it."
        ) from error
    except Exception as error:  # whatever a damaged file makes a decoder say
        text = str(error) or type(error).__name__
        raise ValueError(f"A damaged {kind.upper()} file: {text}") from error


def _of_pillow(content, kind, max_pixels):
    if kind == "heif":
        register_heif()
    with Image.open(io.BytesIO(content)) as image:
        pixels = image.width * image.height
        check_pixels(pixels, image.mode in _WITH_ALPHA, max_pixels)
        if kind == "jpeg 2000":
            image.reduce = _levels_to_leave_out(content, pixels)
        image.load()
        kept = {k: v for k, v in image.info.items() if k == "transparency"}
        turn = _TRANSPOSITIONS.get(image.getexif().get(_ORIENTATION, 1))
        picture: Any = image
        if picture.mode.startswith("I;16"):  # the upper byte, as of a PNG
            picture = Image.fromarray((np.asarray(picture) >> 8).astype(np.uint8))
        picture = _smaller(picture, WHOLE_PIXELS)
        if turn is not None:
            picture = picture.transpose(turn)
        if picture is image:
            picture = image.copy()
    # Without what says how it is to be turned, which would be followed again.
    picture.info = kept
    return encode_image(picture)


def _smaller(picture, most):
    """Means of as many pixels as it takes to have no more than `most`."""
    factor = _factor(picture.width * picture.height, most)
    if factor == 1:
        return picture
    if picture.mode == "1":
        picture = picture.convert("L")
    elif picture.mode == "P":
        is_opaque = "transparency" not in picture.info
        picture = picture.convert("RGB" if is_opaque else "RGBA")
    return picture.reduce(factor)


def _levels_to_leave_out(content, pixels):
    """How often JPEG 2000 is halved, of as many levels as the file has."""
    at = content.find(_CODING_STYLE)
    levels = content[at + _LEVELS] if 0 <= at < len(content) - _LEVELS else 0
    return min(levels, _factor(pixels, _WHOLE_JPEG_2000).bit_length() - 1)


def _factor(pixels, most):
    """The power of two by which sides are divided so that `most` pixels are left."""
    factor = 1
    while pixels > most * factor**2:
        factor *= 2
    return factor


def _of_raw(content, max_pixels):
    try:
        import rawpy
    except ModuleNotFoundError as error:
        text = "A camera's raw file " + NEEDS_PACKAGE.format("rawpy")
        raise ValueError(text) from error
    with rawpy.imread(io.BytesIO(content)) as raw:
        preview, flip = raw.extract_thumb(), raw.sizes.flip
    if preview.format == rawpy.ThumbFormat.BITMAP:
        pixels = np.asarray(preview.data)
        check_pixels(pixels.shape[0] * pixels.shape[1], False, max_pixels)
        return encode_image(np.rot90(pixels, _TURNS.get(flip, 0)))
    with Image.open(io.BytesIO(preview.data)) as image:
        if not flip or image.getexif().get(_ORIENTATION):
            return bytes(preview.data)
        check_pixels(image.width * image.height, False, max_pixels)
        pixels = np.asarray(image.convert("RGB"))
    return encode_image(np.rot90(pixels, _TURNS.get(flip, 0)))
