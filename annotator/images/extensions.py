"""File name extensions of the formats that can be read."""

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
