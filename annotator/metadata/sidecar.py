"""XMP sidecars: files beside photographs, `photo.jpg.xmp` or `photo.xmp`."""

import errno
import os
import shutil
import stat

from annotator import files
from annotator.metadata.edit import Change, edit
from annotator.metadata.keywords import Keywords, read_keywords
from annotator.metadata.packet import MAX_BYTES, Packet

# How a sidecar is named: behind the image's extension, as digiKam, darktable and Immich
# do, or in place of it, as Lightroom and other programs of Adobe do.
SIDECAR_NAMES = ("photo.jpg", "photo")


def sidecar_path(
    image: str | os.PathLike[str], name: str = SIDECAR_NAMES[0], kind: str = "xmp"
) -> str:
    """The path of an image's sidecar.

    Args:
        image: Path of the image.
        name: One of `SIDECAR_NAMES`: behind the image's extension, or in place of it.
        kind: The sidecar's extension.

    Returns:
        The path; where there is an `.XMP` and no `.xmp`, that of the file there is.
    """
    image = os.fspath(image)
    base = image if name == SIDECAR_NAMES[0] else os.path.splitext(image)[0]
    path, upper = f"{base}.{kind}", f"{base}.{kind.upper()}"
    return upper if os.path.lexists(upper) and not os.path.lexists(path) else path


def read_file(
    path: str | os.PathLike[str], most_bytes: int = MAX_BYTES
) -> bytes | None:
    """Reads a sidecar, or the image itself, if there is one.

    Args:
        path: Its path.
        most_bytes: How large it may be.

    Returns:
        Its content; `None` where there is no such file.

    Raises:
        OSError: When it cannot be read, is a symbolic link or no regular file, or has
            more than `most_bytes` bytes.
    """
    # Opening a pipe would wait for somebody to write to it.
    flags = os.O_RDONLY | getattr(os, "O_NOFOLLOW", 0) | getattr(os, "O_NONBLOCK", 0)
    try:
        descriptor = os.open(path, flags)
    except FileNotFoundError:
        return None
    except OSError as error:
        if error.errno != errno.ELOOP:
            raise
        raise OSError(
            errno.ELOOP, "a symbolic link, through which nothing is written", str(path)
        ) from error
    with open(descriptor, "rb") as file:
        status = os.fstat(descriptor)
        if not stat.S_ISREG(status.st_mode):
            raise OSError(errno.EINVAL, "not a regular file", str(path))
        if status.st_size > most_bytes:
            raise OSError(errno.EINVAL, f"more than {most_bytes} bytes", str(path))
        return file.read()


def write_file(path: str | os.PathLike[str], content: bytes) -> None:
    """Writes a sidecar atomically; it keeps the permissions that it had.

    Args:
        path: Its path; a symbolic link there is replaced, not followed.
        content: Its content.
    """
    with files.atomic_path(path) as temporary:
        temporary.write_bytes(content)
        if os.path.isfile(path) and not os.path.islink(path):
            shutil.copymode(path, temporary)


def read_sidecar(path: str | os.PathLike[str]) -> Keywords:
    """Reads the keywords of a sidecar.

    Args:
        path: Its path, see `sidecar_path`.

    Returns:
        The keywords; none where there is no such file.

    Raises:
        OSError: As in `read_file`.
        ValueError: When it is no XMP; the message names it.
    """
    content = read_file(path)
    if content is None:
        return Keywords()
    try:
        return read_keywords(Packet(content))
    except ValueError as error:
        raise ValueError(f"{path}: {error}") from error


def write_sidecar(path: str | os.PathLike[str], change: Change) -> bool:
    """Changes the keywords of a sidecar, which is made if missing.

    Args:
        path: Its path, see `sidecar_path`.
        change: What shall be otherwise.

    Returns:
        Whether the file was written: not if it says all of this already.

    Raises:
        OSError: As in `read_file`, or when it cannot be written.
        ValueError: When it is no XMP; the message names it.
    """
    before = read_file(path)
    try:
        after = edit(before, change)
    except ValueError as error:
        raise ValueError(f"{path}: {error}") from error
    if after == before:
        return False
    write_file(path, after)
    return True
