"""Small and large renditions of photographs, for the screen; files are only read."""

import io
import os
import pathlib

import numpy as np
from PIL import Image, ImageOps, JpegImagePlugin

from annotator import files
from annotator.config.limits import MAX_PIXELS
from annotator.images.photos import graph_content

THUMBNAIL_SIDE = 512
LARGE_SIDE = 2048
_QUALITY = 84
# A photograph's colors stay what its profile says; all else of its metadata stays out.
_KEPT = ("icc_profile",)
_JPEG = b"\xff\xd8\xff"


def render(
    source: str | os.PathLike | bytes, side: int, max_pixels: int = MAX_PIXELS
) -> tuple[bytes, tuple[int, int]]:
    """Renders a photograph as a JPEG.

    Args:
        source: Its file, or what `graph_content` made of it.
        side: The longer side in pixels, at most; nothing is enlarged.
        max_pixels: As of `graph_content`.

    Returns:
        `(jpeg, (width, height))`; the size is that of the whole photograph, upright,
        or of what `graph_content` makes of it.

    Raises:
        OSError: When it cannot be read.
    """
    name = "it" if isinstance(source, bytes) else repr(os.fspath(source))
    try:
        if isinstance(source, bytes):
            content = source
        else:
            content = pathlib.Path(source).read_bytes()
            content = graph_content(content, source, max_pixels)
        with _opened(content) as image:
            size = image.size
            turned = image.getexif().get(0x0112, 1) in (5, 6, 7, 8)
            image.draft("RGB", (side, side))  # a JPEG is decoded no larger than needed
            picture = ImageOps.exif_transpose(image)
            picture.thumbnail((side, side), Image.Resampling.LANCZOS)
            kept = {key: image.info[key] for key in _KEPT if image.info.get(key)}
    except Image.DecompressionBombError as error:
        raise OSError(f"{name}: {error}") from error
    except (ValueError, SyntaxError) as error:  # what Pillow raises of damaged files
        raise OSError(f"{name} cannot be decoded: {error}") from error
    if picture.mode.startswith("I;16"):  # the upper byte, as the model sees it
        picture = Image.fromarray((np.asarray(picture) >> 8).astype(np.uint8))
    if picture.mode in ("RGBA", "LA", "PA", "P"):
        over = picture.convert("RGBA")
        picture = Image.new("RGB", over.size, "white")
        picture.paste(over, mask=over.getchannel("A"))
    if picture.mode != "RGB":
        picture, kept = picture.convert("RGB"), {}  # the profile was of other channels
    encoded = io.BytesIO()
    picture.save(encoded, "JPEG", quality=_QUALITY, progressive=True, **kept)
    return encoded.getvalue(), (size[1], size[0]) if turned else size


def _opened(content):
    if content.startswith(_JPEG):
        # Not `Image.open`, whose own limit is lower: it is decoded no larger than
        # needed.
        return JpegImagePlugin.JpegImageFile(io.BytesIO(content))
    return Image.open(io.BytesIO(content))


class Thumbnails:
    """Thumbnails in a folder, each made once.

    Args:
        folder: The folder; it may be deleted at any time.
        max_pixels: How many pixels a photograph that is no JPEG may have.
    """

    def __init__(self, folder: pathlib.Path, max_pixels: int = MAX_PIXELS) -> None:
        self.folder = folder
        self.max_pixels = max_pixels

    def path(self, photograph: int, modified: int) -> pathlib.Path:
        """Where the thumbnail of a photograph lies.

        Args:
            photograph: Its number.
            modified: When its file was changed, ns.
        """
        name = f"{photograph}-{modified:x}.jpg"
        return self.folder / f"{photograph // 1000}" / name

    def make(
        self, photograph: int, modified: int, source: str | os.PathLike | bytes
    ) -> tuple[pathlib.Path, tuple[int, int]]:
        """Makes a thumbnail.

        Args:
            photograph: As of `path`.
            modified: As of `path`.
            source: As of `render`.

        Returns:
            `(path, (width, height))`, as of `render`.

        Raises:
            OSError: When the photograph cannot be read.
        """
        encoded, size = render(source, THUMBNAIL_SIDE, self.max_pixels)
        path = self.path(photograph, modified)
        with files.atomic_path(path) as temporary:
            temporary.write_bytes(encoded)
        return path, size

    def get(
        self, photograph: int, modified: int, source: str | os.PathLike
    ) -> pathlib.Path:
        """The thumbnail's path; it is made if missing. Raises as `make`."""
        path = self.path(photograph, modified)
        return path if path.is_file() else self.make(photograph, modified, source)[0]
