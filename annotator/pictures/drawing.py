"""Basics of drawing: colors, fonts, and pictures as arrays."""

import base64
import io
from typing import cast

import numpy as np
from PIL import Image, ImageFont

from annotator.images.display import shown_picture

# Told apart by color-blind readers too (after Okabe and Ito), dark enough for text.
INK, RIGHT, WRONG = "#1f2328", "#00795a", "#c44f00"


def load_font(size: int) -> ImageFont.FreeTypeFont:
    """Loads a font with more than Latin letters if there is one, else Pillow's own.

    Args:
        size: Height of its letters in pixels.

    Returns:
        The font.
    """
    for name in ("DejaVuSans.ttf", "NotoSans-Regular.ttf", "Arial.ttf"):
        try:
            return ImageFont.truetype(name, size)
        except OSError:
            pass
    # With a size it is of this class as well.
    return cast(ImageFont.FreeTypeFont, ImageFont.load_default(size))


def load_picture(picture: np.ndarray | bytes, side: int | None = None) -> Image.Image:
    """Makes a picture one of Pillow's.

    Args:
        picture: uint8 `[height, width, 3]`, or the `bytes` of a file that
            `annotator.images.decode_image` reads.
        side: Of a file, the longer side that is needed; what is larger is reduced.

    Returns:
        The picture.
    """
    if isinstance(picture, bytes):
        return shown_picture(picture, side)[0]
    return Image.fromarray(np.asarray(picture, np.uint8))


def fit_picture(picture: np.ndarray | bytes, side: int) -> Image.Image:
    """Scales a picture to fit a square, its aspect kept.

    Args:
        picture: As of `load_picture`.
        side: Width and height of the square in pixels.

    Returns:
        The picture; one far smaller is enlarged by a whole factor, which leaves its
        pixels sharp.
    """
    image = load_picture(picture, side)
    longest = max(image.size)
    # Interpolation would blur an icon; a photograph has pixels enough for it.
    factor = side // longest
    if factor >= 4:
        scale, method = float(factor), Image.Resampling.NEAREST
    else:
        scale, method = side / longest, Image.Resampling.LANCZOS
    width, height = (max(1, round(scale * pixels)) for pixels in image.size)
    return image.resize((width, height), method)


def data_uri(image: Image.Image) -> str:
    """A picture as an address that holds all of it, to stand in a page.

    Args:
        image: The picture.

    Returns:
        A `data:` address of a JPEG file without metadata.
    """
    content = io.BytesIO()
    image.save(content, "jpeg", quality=82, optimize=True, progressive=True)
    return f"data:image/jpeg;base64,{base64.b64encode(content.getvalue()).decode()}"
