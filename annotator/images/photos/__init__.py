"""Formats of phones, scanners and cameras, turned into what `decode_image` reads.

Graphs decode JPEG, PNG, GIF, BMP and WebP. TIFF, AVIF and JPEG 2000 are decoded by
Pillow, HEIC and HEIF with `pillow-heif`, and of a camera's raw file the preview in it
is taken by `rawpy`; the pixels then go the way of all others, as BMP or PNG. Those
decoders run in processes of their own, whose time and memory have a limit.
"""

from annotator.images.photos.content import graph_content
from annotator.images.photos.kinds import photo_kind

__all__ = ["graph_content", "photo_kind"]
