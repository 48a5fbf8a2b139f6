"""Which files need another decoder than a graph has, by their first bytes."""

import importlib.util

from annotator.files.image_formats import HEIF_EXTENSIONS, RAW_EXTENSIONS

_TIFF = (b"II*\0", b"MM\0*", b"II+\0", b"MM\0+")
_JPEG_2000 = (b"\0\0\0\x0cjP  \r\n\x87\n", b"\xff\x4f\xff\x51")
_HEIF_BRANDS = (
    *(b"heic", b"heix", b"heim", b"heis", b"hevc", b"hevx", b"mif1", b"msf1"),
)
_AVIF_BRANDS = (b"avif", b"avis")
# Canon (CR3, CRW), Fujifilm, Panasonic, Olympus, Minolta, Sigma.
_RAW = (b"FUJIFILMCCD-RAW", b"IIU\0", b"IIRO", b"IIRS", b"MMOR", b"\0MRM", b"FOVb")


def missing_package(extension: str) -> str | None:
    """The package that files of an extension need and that is not installed.

    Args:
        extension: In lower case, `".heic"`.

    Returns:
        `"pillow-heif"` or `"rawpy"`; `None` where nothing is missing.
    """
    package = None
    if extension in HEIF_EXTENSIONS:
        package = "pillow-heif"
    elif extension in RAW_EXTENSIONS:
        package = "rawpy"
    if package and importlib.util.find_spec(package.replace("-", "_")):
        return None
    return package


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
