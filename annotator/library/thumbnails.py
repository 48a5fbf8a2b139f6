"""Small and large renditions of photographs, for the screen; files are only read."""

import io
import os
import pathlib

from PIL import Image, ImageOps

from annotator import files

THUMBNAIL_SIDE = 512
LARGE_SIDE = 2048
_QUALITY = 84
# A photograph's colors stay what its profile says; all else of its metadata stays out.
_KEPT = ("icc_profile",)


def render(path: str | os.PathLike, side: int) -> tuple[bytes, tuple[int, int]]:
    """Renders a photograph as a JPEG.

    Args:
        path: Its file.
        side: The longer side in pixels, at most; nothing is enlarged.

    Returns:
        `(jpeg, (width, height))`; the size is that of the whole photograph, upright.

    Raises:
        OSError: When it cannot be read.
    """
    try:
        with Image.open(path) as image:
            size = image.size
            turned = image.getexif().get(0x0112, 1) in (5, 6, 7, 8)
            image.draft("RGB", (side, side))  # a JPEG is decoded no larger than needed
            picture = ImageOps.exif_transpose(image)
            picture.thumbnail((side, side), Image.Resampling.LANCZOS)
            kept = {key: image.info[key] for key in _KEPT if image.info.get(key)}
    except Image.DecompressionBombError as error:
        raise OSError(f"{os.fspath(path)!r}: {error}") from error
    except (ValueError, SyntaxError) as error:  # what Pillow raises of damaged files
        raise OSError(f"{os.fspath(path)!r} cannot be decoded: {error}") from error
    if picture.mode in ("RGBA", "LA", "PA", "P"):
        over = picture.convert("RGBA")
        picture = Image.new("RGB", over.size, "white")
        picture.paste(over, mask=over.getchannel("A"))
    if picture.mode != "RGB":
        picture, kept = picture.convert("RGB"), {}  # the profile was of other channels
    encoded = io.BytesIO()
    picture.save(encoded, "JPEG", quality=_QUALITY, progressive=True, **kept)
    return encoded.getvalue(), (size[1], size[0]) if turned else size


class Thumbnails:
    """Thumbnails in a folder, each made once.

    Args:
        folder: The folder; it may be deleted at any time.
    """

    def __init__(self, folder: pathlib.Path) -> None:
        self.folder = folder

    def path(self, photograph: int, modified: int) -> pathlib.Path:
        """Where the thumbnail of a photograph lies.

        Args:
            photograph: Its number.
            modified: When its file was changed, ns.
        """
        name = f"{photograph}-{modified:x}.jpg"
        return self.folder / f"{photograph // 1000}" / name

    def make(
        self, photograph: int, modified: int, source: str | os.PathLike
    ) -> tuple[pathlib.Path, tuple[int, int]]:
        """Makes a thumbnail.

        Args:
            photograph: As of `path`.
            modified: As of `path`.
            source: The photograph's file.

        Returns:
            `(path, (width, height))`, as of `render`.

        Raises:
            OSError: When the photograph cannot be read.
        """
        encoded, size = render(source, THUMBNAIL_SIDE)
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
