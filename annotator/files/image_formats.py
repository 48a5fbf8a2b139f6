"""Formats of image files: how their names end, and what opens those of phones."""

# What every JPEG begins with: the start of the image, and of its first segment.
JPEG_BEGIN = b"\xff\xd8\xff"
# In the order tried when a list names an image without its extension.
EXTENSIONS = (".jpeg", ".jpg", ".png", ".gif", ".bmp", ".webp")
# What `annotator.images.photos` turns into one of these formats.
HEIF_EXTENSIONS = (".heic", ".heif", ".hif")
PILLOW_EXTENSIONS = (
    *HEIF_EXTENSIONS,
    *(".avif", ".tif", ".tiff", ".jp2", ".j2k", ".jpx", ".jpf"),
)
RAW_EXTENSIONS = (
    *(".3fr", ".arw", ".cr2", ".cr3", ".crw", ".dcr", ".dng", ".erf", ".fff"),
    *(".iiq", ".kdc", ".mef", ".mos", ".mrw", ".nef", ".nrw", ".orf", ".pef"),
    *(".raf", ".rw2", ".rwl", ".sr2", ".srf", ".srw", ".x3f"),
)
# All that a folder is searched for.
PHOTO_EXTENSIONS = (
    *(*EXTENSIONS, ".jpe", ".jfif"),
    *PILLOW_EXTENSIONS,
    *RAW_EXTENSIONS,
)
# What an error says where a package of the extra is missing.
NEEDS_PACKAGE = 'needs {}: pip install ".[photos]".'


def register_heif() -> None:
    """Lets Pillow open HEIC and HEIF.

    Raises:
        ValueError: When `pillow-heif` is not installed; the message says how it is.
    """
    try:
        import pillow_heif
    except ModuleNotFoundError as error:
        raise ValueError("HEIC " + NEEDS_PACKAGE.format("pillow-heif")) from error
    pillow_heif.register_heif_opener()
