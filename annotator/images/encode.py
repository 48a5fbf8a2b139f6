"""Pixels as bytes of image files without loss: the way back through `decode_image`."""

import io

import numpy as np
from PIL import Image, ImageOps

# What Pillow writes as PNG, and what other modes are converted to.
_PNG_MODES = ("1", "L", "LA", "P", "I;16", "I", "RGB", "RGBA")
_WITH_ALPHA = ("La", "PA", "RGBa")
# Formats whose EXIF `decode_image` follows; MPO is a JPEG with more of them behind.
_TURNED_FORMATS = ("JPEG", "MPO", None)


def encode_image(image: np.ndarray | Image.Image) -> bytes:
    """Writes pixels as an image file of which `decode_image` makes the same pixels.

    A Pillow image is what the file it comes from would be: one that was opened from a
    JPEG is turned and mirrored as its EXIF says, and so is one that came from no file
    or was changed since it was opened; one of another format is left as it is. (The
    pixels of a JPEG are those of Pillow's decoder, which rounds a little otherwise.)

    Args:
        image: A uint8 array, `[height, width, 3]` in RGB, `[height, width]` in gray or
            `[height, width, 4]` with alpha; or a Pillow image.

    Returns:
        The content of a BMP or PNG file.

    Raises:
        ValueError: When an array has another dtype or shape, or Pillow's image has
            another range of values.
    """
    if isinstance(image, Image.Image):
        pixels = _of_pillow(image)
    else:
        pixels = Image.fromarray(_checked(image))
    content = io.BytesIO()
    if pixels.mode == "RGB" and "transparency" not in pixels.info:
        pixels.save(content, "BMP")  # twenty times as fast
    else:
        pixels.save(content, "PNG", compress_level=0)
    return content.getvalue()


def _checked(array):
    is_image = array.ndim == 2 or array.ndim == 3 and array.shape[2] in (3, 4)
    if array.dtype != np.uint8 or not is_image or not array.size:
        raise ValueError(
            f"An array of dtype {array.dtype} and shape {array.shape} is no image: one "
            "is uint8, 0 to 255, [height, width, 3] in RGB, [height, width] in gray or "
            "[height, width, 4] with alpha."
        )
    return np.ascontiguousarray(array)


def _of_pillow(image):
    if image.mode == "F":
        raise ValueError(
            "A Pillow image of mode F has no known range of values; convert it to L."
        )
    if not (image.width and image.height):
        raise ValueError(f"A Pillow image of {image.width} x {image.height} pixels.")
    if image.format in _TURNED_FORMATS:
        image = ImageOps.exif_transpose(image)
    if image.mode in _PNG_MODES:
        return image
    return image.convert("RGBA" if image.mode in _WITH_ALPHA else "RGB")
