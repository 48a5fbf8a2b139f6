"""Formats of phones, scanners and cameras, turned into what `decode_image` reads.

Graphs decode JPEG, PNG, GIF, BMP and WebP. TIFF, AVIF and JPEG 2000 are decoded by
Pillow, HEIC and HEIF with `pillow-heif`, and of a camera's raw file the preview in it
is taken by `rawpy`; the pixels then go the way of all others, as BMP or PNG.
"""

import io
import os
from typing import Any

import numpy as np
from PIL import Image, ImageOps

from annotator.images.decode import MAX_PIXELS
from annotator.images.encode import encode_image
from annotator.images.extensions import RAW_EXTENSIONS

_TIFF = (b"II*\0", b"MM\0*", b"II+\0", b"MM\0+")
_JPEG_2000 = (b"\0\0\0\x0cjP  \r\n\x87\n", b"\xff\x4f\xff\x51")
_HEIF_BRANDS = (
    *(b"heic", b"heix", b"heim", b"heis", b"hevc", b"hevx", b"mif1", b"msf1"),
)
_AVIF_BRANDS = (b"avif", b"avis")
# Canon (CR3, CRW), Fujifilm, Panasonic, Olympus, Minolta, Sigma.
_RAW = (b"FUJIFILMCCD-RAW", b"IIU\0", b"IIRO", b"IIRS", b"MMOR", b"\0MRM", b"FOVb")
# How LibRaw says which way up a picture belongs, as turns against the clock.
_TURNS = {3: 2, 5: 1, 6: 3}
_ORIENTATION = 0x0112
_REMEDY = 'needs {}: pip install ".[photos]".'


def photo_kind(content: bytes, name: str = "") -> str | None:
    """What turns an image file into one that graphs decode.

    Args:
        content: The file's first bytes, 32 or more.
        name: Its name: most raw files begin as TIFF files do.

    Returns:
        `"raw"`, `"heif"`, `"avif"`, `"tiff"` or `"jpeg 2000"`; `None` for all that goes
        to the graph as it is.
    """
    brand = content[8:12] if content[4:8] == b"ftyp" else b""
    if content.startswith(_RAW) or brand == b"crx " or content[6:10] == b"HEAP":
        return "raw"
    if content.startswith(_TIFF):
        is_raw = name.lower().endswith(RAW_EXTENSIONS) or content[8:10] == b"CR"
        return "raw" if is_raw else "tiff"
    if brand in _HEIF_BRANDS:
        # A file of the general brand may hold either.
        return "avif" if _AVIF_BRANDS[0] in content[16:32] else "heif"
    if brand in _AVIF_BRANDS:
        return "avif"
    return "jpeg 2000" if content.startswith(_JPEG_2000) else None


def graph_content(content: bytes, name: str | os.PathLike[str] = "") -> bytes:
    """Turns an image file into one that `decode_image` reads.

    The picture is upright, as the file says, and of several pictures it is the first.

    Args:
        content: The content of a file.
        name: The file's name or path, as far as it has one.

    Returns:
        The content of a BMP, PNG or JPEG with the same pixels; `content` itself where
        graphs decode it, or where it is nothing that is known.

    Raises:
        ValueError: When it is damaged, has more than `MAX_PIXELS` pixels, or needs a
            package that is not installed; the message names it.
    """
    kind = photo_kind(content[:64], os.fspath(name))
    if kind is None:
        return content
    try:
        return _of_raw(content) if kind == "raw" else _of_pillow(content, kind)
    except (MemoryError, ValueError):
        raise
    except Exception as error:  # whatever a damaged file makes a decoder say
        text = str(error) or type(error).__name__
        raise ValueError(f"A damaged {kind.upper()} file: {text}") from error


def _of_pillow(content, kind):
    if kind == "heif":
        try:
            import pillow_heif
        except ModuleNotFoundError as error:
            raise ValueError("HEIC " + _REMEDY.format("pillow-heif")) from error
        pillow_heif.register_heif_opener()
    with Image.open(io.BytesIO(content)) as image:
        _check_size(image.width, image.height)
        image.load()
        upright: Any = ImageOps.exif_transpose(image)
        if upright.mode.startswith("I;16"):  # the upper byte, as of a PNG
            upright = Image.fromarray((np.asarray(upright) >> 8).astype(np.uint8))
        return encode_image(upright)


def _of_raw(content):
    try:
        import rawpy
    except ModuleNotFoundError as error:
        raise ValueError("A camera's raw file " + _REMEDY.format("rawpy")) from error
    with rawpy.imread(io.BytesIO(content)) as raw:
        preview, flip = raw.extract_thumb(), raw.sizes.flip
    if preview.format == rawpy.ThumbFormat.BITMAP:
        pixels = np.asarray(preview.data)
        _check_size(pixels.shape[1], pixels.shape[0])
        return encode_image(np.rot90(pixels, _TURNS.get(flip, 0)))
    with Image.open(io.BytesIO(preview.data)) as image:
        if not flip or image.getexif().get(_ORIENTATION):
            return bytes(preview.data)
        _check_size(image.width, image.height)
        pixels = np.asarray(image.convert("RGB"))
    return encode_image(np.rot90(pixels, _TURNS.get(flip, 0)))


def _check_size(width, height):
    if width * height > MAX_PIXELS:
        raise ValueError(
            f"An image of more than {MAX_PIXELS} pixels is refused; it has "
            f"{width * height}."
        )
