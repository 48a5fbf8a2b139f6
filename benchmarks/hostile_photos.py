"""The worst files of phones' and scanners' formats, for `hostile_images.py`."""

import io
import struct
import warnings
from collections.abc import Callable, Iterator

import numpy as np
from PIL import Image

SIDE = 8192


def photo_files() -> Iterator[tuple[str, Callable[[], bytes]]]:
    """Yields `(name, function that makes the file)`."""
    flat = Image.new("RGB", (SIDE, SIDE), (200, 10, 90))
    gray = Image.fromarray(np.full((SIDE, SIDE), 40_000, np.uint16))
    noise = Image.effect_noise((4096, 4096), 90).convert("RGB")
    lzw, deflate = {"compression": "tiff_lzw"}, {"compression": "tiff_adobe_deflate"}
    yield "TIFF, 64 megapixels, LZW", lambda: _encoded(flat, "TIFF", **lzw)
    yield "TIFF, 64 megapixels, deflated", lambda: _encoded(flat, "TIFF", **deflate)
    yield (
        "TIFF, 64 megapixels, gray, 16 bits",
        lambda: _encoded(gray, "TIFF", **deflate),
    )
    yield (
        "TIFF, 64 megapixels, in strips of a row",
        lambda: _encoded(flat, "TIFF", tiffinfo={278: 1}, **deflate),
    )
    yield (
        "TIFF, 32 megapixels, alpha",
        lambda: _encoded(flat.crop((0, 0, SIDE, SIDE // 2)).convert("RGBA"), "TIFF"),
    )
    yield (
        "TIFF, 64 megapixels, CMYK",
        lambda: _encoded(flat.convert("CMYK"), "TIFF", **deflate),
    )
    yield "TIFF, noise of 16 megapixels", lambda: _encoded(noise, "TIFF", **deflate)
    yield "TIFF, 65,535 tags of one megabyte", lambda: _many_tags(65_535)
    yield "JPEG 2000, 64 megapixels", lambda: _encoded(flat, "JPEG2000")
    ten = {"quality_mode": "rates", "quality_layers": [10]}
    yield (
        "JPEG 2000, noise of 16 megapixels",
        lambda: _encoded(noise, "JPEG2000", **ten),
    )
    yield (
        "JPEG 2000, noise, no lower level",
        lambda: _encoded(noise, "JPEG2000", num_resolutions=1, **ten),
    )
    yield "AVIF, 64 megapixels", lambda: _encoded(flat, "AVIF", speed=10)
    yield (
        "AVIF, noise of 16 megapixels",
        lambda: _encoded(noise, "AVIF", speed=10, quality=90),
    )
    yield "AVIF, EXIF of many tags", lambda: _with_many_tags("AVIF")
    yield "HEIC, 48 megapixels", lambda: _heif(flat.crop((0, 0, 8064, 6048)))
    yield "HEIC, noise of 4 megapixels", lambda: _heif(noise.crop((0, 0, 2048, 2048)))
    yield "HEIC, EXIF of many tags", lambda: _with_many_tags("HEIF")


def _encoded(image, kind, **options):
    content = io.BytesIO()
    image.save(content, kind, **options)
    return content.getvalue()


def _heif(image, **options):
    import pillow_heif

    pillow_heif.register_heif_opener()
    pillow_heif.options.PREFERRED_ENCODER["HEIF"] = ""
    return _encoded(image, "HEIF", quality=50, **options)


def _many_tags(count):
    """A TIFF whose every tag has all of the file for its value."""
    small = bytearray(_encoded(Image.new("L", (8, 8)), "TIFF"))
    at = len(small) + len(small) % 2
    size = at + 2 + 12 * count + 4
    entries = [
        struct.pack("<HHII", tag, 7, size, 0) for tag in range(1, count + 1)
    ]  # of undefined bytes, from the file's first on
    head = b"II*\0" + struct.pack("<I", at)
    return (
        head
        + bytes(small[8:]).ljust(at - 8, b"\0")
        + b"".join([struct.pack("<H", count), *entries, bytes(4)])
    )


def _with_many_tags(kind, count=60_000):
    """A small picture whose EXIF has all of itself for every tag."""
    exif = b"Exif\0\0" + _many_tags(count)
    image = Image.new("RGB", (64, 64))
    warnings.simplefilter("ignore")  # of the encoder, one a tag
    return (
        _heif(image, exif=exif) if kind == "HEIF" else _encoded(image, kind, exif=exif)
    )
