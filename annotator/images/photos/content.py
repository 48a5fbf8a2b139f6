"""The content of any image file as one that graphs decode."""

import os

from annotator.images.photos.converters import convert_elsewhere
from annotator.images.photos.kinds import photo_kind


def graph_content(content: bytes, name: str | os.PathLike[str] = "") -> bytes:
    """Turns an image file into one that `decode_image` reads.

    The picture is upright, as the file says, and of several pictures it is the first.
    One of more than `conversion.WHOLE_PIXELS` is made smaller by a power of two.

    Args:
        content: The content of a file.
        name: The file's name or path, as far as it has one.

    Returns:
        The content of a BMP, PNG or JPEG with the same pixels; `content` itself where
        graphs decode it, or where it is nothing that is known.

    Raises:
        ValueError: When it is damaged, has more than `MAX_PIXELS` pixels, takes more
            time or memory than a picture may, or needs a package that is not
            installed; the message says so.
        OSError: When no process can be started to decode it.
    """
    kind = photo_kind(content[:64], os.fspath(name))
    return content if kind is None else convert_elsewhere(content, kind)
