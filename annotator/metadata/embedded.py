"""Keywords inside image files: XMP, and the older IPTC-IIM, which has no paths."""

import os
from typing import Any

from PIL import Image, IptcImagePlugin, UnidentifiedImageError

from annotator.files.image_formats import HEIF_EXTENSIONS, register_heif
from annotator.metadata.keywords import Keywords, read_keywords
from annotator.metadata.packet import Packet
from annotator.metadata.sidecar import SIDECAR_NAMES, read_sidecar, sidecar_path

# IIM datasets (record, number) as in the IPTC-IIM standard 4.2.
_CHARACTER_SET, _KEYWORD, _CAPTION = (1, 90), (2, 25), (2, 120)
_UTF8 = b"\x1b%G"


def read_image(path: str | os.PathLike[str]) -> Keywords:
    """Reads the keywords of a photograph, wherever they are.

    Args:
        path: An image file.

    Returns:
        The keywords of its sidecar, `photo.jpg.xmp` before `photo.xmp`, if one says
        any; otherwise those in the image file, XMP before IPTC.

    Raises:
        OSError: When the sidecar or the image cannot be read.
        ValueError: When its XMP is damaged; the message names the file.
    """
    for name in SIDECAR_NAMES:
        keywords = read_sidecar(sidecar_path(path, name))
        if keywords != Keywords():
            return keywords
    return read_embedded(path)


def read_embedded(path: str | os.PathLike[str]) -> Keywords:
    """Reads the keywords inside an image file.

    Args:
        path: An image file; its pixels are not decoded.

    Returns:
        The keywords of its XMP if it says any, otherwise of its IPTC-IIM; none of a
        format that Pillow does not know, such as most of cameras' raw files: theirs are
        in sidecars.

    Raises:
        OSError: When the file is no image or cannot be read.
        ValueError: When its XMP is damaged, or HEIC needs a package that is not
            installed; the message names the file.
    """
    extension = os.path.splitext(os.fspath(path))[1].lower()
    if extension in HEIF_EXTENSIONS:
        try:
            register_heif()
        except ValueError as error:
            raise ValueError(f"{path}: {error}") from error
    try:
        opened = Image.open(path)
    except UnidentifiedImageError:
        if extension in Image.registered_extensions():
            raise
        return Keywords()
    with opened as image:
        packet: Any = image.info.get("xmp")
        if packet:
            if isinstance(packet, str):
                packet = packet.encode("utf-8")
            try:
                # Some writers end the text with zeros, as in C.
                keywords = read_keywords(Packet(packet.rstrip(b"\0")))
            except ValueError as error:
                raise ValueError(f"{path}: its XMP: {error}") from error
            if keywords != Keywords():
                return keywords
        return _of_iptc(image)


def _of_iptc(image):
    try:
        found: Any = IptcImagePlugin.getiptcinfo(image) or {}
    except (SyntaxError, TypeError, IndexError, AttributeError) as error:
        # Pillow's reader trusts the sizes that a damaged block states.
        raise ValueError(f"{image.filename}: its IPTC is damaged: {error}") from error
    is_utf8 = found.get(_CHARACTER_SET) == _UTF8

    def text(value):
        encodings = ("utf-8",) if is_utf8 else ("utf-8", "latin-1")
        for encoding in encodings:
            try:
                return value.decode(encoding).strip("\0 ")
            except UnicodeDecodeError:
                continue
        return value.decode("utf-8", "replace").strip("\0 ")

    values = found.get(_KEYWORD, [])
    values = values if isinstance(values, list) else [values]
    human = dict.fromkeys(word for value in values if (word := text(value)))
    caption = found.get(_CAPTION)
    caption = caption[0] if isinstance(caption, list) else caption
    return Keywords(tuple(human), description=text(caption) if caption else None)
