"""Small and large renditions of photographs, for the screen; files are only read."""

import io
import os
import pathlib

from annotator import files
from annotator.config.limits import MAX_PIXELS
from annotator.images.display import shown_picture
from annotator.images.photos import graph_content

THUMBNAIL_SIDE = 512
LARGE_SIDE = 2048
_QUALITY = 84


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
        picture, size, profile = shown_picture(content, side)
    except (ValueError, OSError) as error:
        raise OSError(f"{name}: {error}") from error
    # A photograph's colors stay what its profile says; all else of its metadata stays
    # out.
    kept = {"icc_profile": profile} if profile else {}
    encoded = io.BytesIO()
    picture.save(encoded, "JPEG", quality=_QUALITY, progressive=True, **kept)
    return encoded.getvalue(), size


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
