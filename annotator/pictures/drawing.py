"""Basics of drawing: colors, fonts, and pictures as arrays."""

from typing import cast

import numpy as np
from PIL import Image, ImageFont

from annotator.images.decode import decode_image

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


def load_picture(picture: np.ndarray | bytes) -> Image.Image:
    """Makes a picture one of Pillow's.

    Args:
        picture: uint8 `[height, width, 3]`, or the `bytes` of a file that
            `annotator.images.decode_image` reads.

    Returns:
        The picture.
    """
    if isinstance(picture, bytes):
        picture = decode_image(picture).numpy()
    return Image.fromarray(np.asarray(picture, np.uint8))
