"""Image files as people look at them: decoded by Pillow, no larger than is shown.

What models see comes from `decode_image`, whose graph takes seconds to be made; a page
need not wait for that.
"""

import io

import numpy as np
from PIL import Image, ImageOps, JpegImagePlugin

from annotator.files.image_formats import JPEG_BEGIN

_JPEG_FORMATS = ("JPEG", "MPO")
_ORIENTATION = 0x0112
_WITH_ALPHA = ("RGBA", "LA", "PA", "P")


def shown_picture(
    content: bytes, side: int | None = None
) -> tuple[Image.Image, tuple[int, int], bytes | None]:
    """Decodes an image file for the screen.

    As by `decode_image`, a JPEG is turned as its EXIF says, alpha lies over white, and
    16-bit channels keep their upper byte.

    Args:
        content: What `graph_content` makes of a file.
        side: The longer side in pixels, at most; nothing is enlarged.

    Returns:
        `(picture, (width, height), profile)`: RGB; the size is that of the whole
        picture, upright; its ICC profile, if it has one.

    Raises:
        OSError: When it cannot be decoded.
    """
    try:
        with _opened(content) as image:
            width, height = image.size
            turn = 1
            if image.format in _JPEG_FORMATS:
                turn = image.getexif().get(_ORIENTATION, 1)
                if side is not None:  # decoded no larger than needed
                    image.draft("RGB", (side, side))
            profile = image.info.get("icc_profile")
            picture = ImageOps.exif_transpose(image) if turn > 1 else image.copy()
    except (ValueError, SyntaxError, Image.DecompressionBombError) as error:
        raise OSError(f"It cannot be decoded: {error}") from error
    if picture.mode != "RGB":
        picture, profile = _rgb(picture), None  # the profile was of other channels
    if side is not None:
        picture.thumbnail((side, side), Image.Resampling.LANCZOS)
    return (
        picture,
        (height, width) if turn in (5, 6, 7, 8) else (width, height),
        profile,
    )


def _opened(content):
    if content.startswith(JPEG_BEGIN):
        # Not `Image.open`, which refuses what is decoded to a fraction of its size.
        return JpegImagePlugin.JpegImageFile(io.BytesIO(content))
    return Image.open(io.BytesIO(content))


def _rgb(picture):
    if picture.mode.startswith("I;16"):
        return Image.fromarray((np.asarray(picture) >> 8).astype(np.uint8)).convert(
            "RGB"
        )
    if picture.mode in _WITH_ALPHA:
        over = picture.convert("RGBA")
        picture = Image.new("RGB", over.size, "white")
        picture.paste(over, mask=over.getchannel("A"))
    return picture.convert("RGB")
