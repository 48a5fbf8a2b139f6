"""Image files that a user names by a folder, a list or a pattern."""

import codecs
import collections
import glob
import os
import stat
import sys
from collections.abc import Iterator

from annotator.files.image_formats import JPEG_BEGIN, PHOTO_EXTENSIONS
from annotator.images.decode import MAX_BYTES
from annotator.images.photos.kinds import missing_package

_BESIDE_IMAGES = (".xmp", ".txt", ".json", ".jsonl", ".csv", ".parquet", ".partial")
# How JPEG, PNG, GIF and TIFF files begin.
_MAGIC = (JPEG_BEGIN, b"\x89PNG", b"GIF87a", b"GIF89a", b"II*\0", b"MM\0*")


def list_images(source: str | os.PathLike) -> Iterator[str]:
    """Lists image files, in an order that changes only when the files do.

    Args:
        source: One of

            - a folder: the image files in it and below it, by their extension (JPEG,
              PNG, GIF, BMP, WebP, and what `annotator.images.photos` reads). Hidden
              files and folders are left out, and linked folders are not followed;
            - an image file, by its extension or its first bytes;
            - any other file: a list of paths, one a line (or, if there are zero bytes,
              each ended by one, as `find -print0` writes them), relative to the current
              folder;
            - a pattern with `*`, `?`, `[...]` or `**`: the files that match.

    Returns:
        Iterator over paths. A folder and a list are read while it is used, so that any
        number of files takes little memory; a pattern is expanded first.

    Raises:
        FileNotFoundError: When there is no such file or folder, or nothing matches.
        ValueError: When a file is neither an image nor text.
    """
    source = os.fspath(source)
    if os.path.isdir(source):
        return _walk(source)
    if os.path.isfile(source):
        if source.lower().endswith(PHOTO_EXTENSIONS) or _begins_as_image(source):
            return iter([source])
        _check_text(source)
        return _read_list(source)
    names = glob.iglob(source, recursive=True)
    matches = sorted(name for name in names if not os.path.isdir(name))
    if not matches:
        raise FileNotFoundError(
            f"--images={source} is no file or folder, and as a pattern it matches none."
        )
    return iter(matches)


def passed_over(source: str | os.PathLike) -> dict[str, int]:
    """Counts the files in a folder that `list_images` does not list.

    Args:
        source: As there; what is no folder passes over nothing.

    Returns:
        Dict from extension, in lower case, to the number of files, most first. Hidden
        files are not counted, nor what is written beside images (`.xmp`, `.txt`, ...).
    """
    kinds: collections.Counter[str] = collections.Counter()
    source = os.fspath(source)
    if os.path.isdir(source):
        for _, folders, names in os.walk(source):
            folders[:] = [name for name in folders if not name.startswith(".")]
            kinds.update(os.path.splitext(n)[1].lower() for n in names if n[0] != ".")
    for kind in (*PHOTO_EXTENSIONS, *_BESIDE_IMAGES):
        kinds.pop(kind, None)
    return dict(kinds.most_common())


def tell_passed_over(source: str | os.PathLike) -> None:
    """Says on stderr what of a source is not read, by kind, and what would read it.

    Args:
        source: As of `list_images`.
    """
    if kinds := passed_over(source):
        print(f"passed over, by their extensions: {_counts(kinds)}", file=sys.stderr)
    if kinds := without_decoder(source):
        print(
            f'not read: {_counts(kinds)}; pip install ".[photos]" reads them',
            file=sys.stderr,
        )


def _counts(kinds):
    return ", ".join(f"{n} {kind or 'without one'}" for kind, n in kinds.items())


def without_decoder(source: str | os.PathLike) -> dict[str, int]:
    """Counts the files that `list_images` lists and that need a missing package.

    Args:
        source: As there.

    Returns:
        Dict from extension, in lower case, to the number of files, most first.
    """
    extensions = (os.path.splitext(name)[1].lower() for name in list_images(source))
    return dict(collections.Counter(filter(missing_package, extensions)).most_common())


def read_image(name: str) -> tuple[str, bytes | Exception]:
    """Reads an image file.

    Args:
        name: Its path.

    Returns:
        `(name, content)`; `content` is `bytes`, or the exception that says why there
        are none.
    """
    try:
        status = os.stat(name)
        if stat.S_ISDIR(status.st_mode):
            os.listdir(name)  # A folder that nobody may list says so.
            raise IsADirectoryError("A folder, not an image file.")
        # Opening a pipe would wait for somebody to write to it.
        if not stat.S_ISREG(status.st_mode):
            raise OSError("Not a regular file.")
        if status.st_size > MAX_BYTES:
            raise OSError(
                f"A file of more than {MAX_BYTES} bytes is refused; it has "
                f"{status.st_size}."
            )
        with open(name, "rb") as file:
            return name, file.read()
    except (OSError, ValueError) as error:  # ValueError: a zero byte in the name
        return name, error


def _begins_as_image(path):
    with open(path, "rb") as file:
        begin = file.read(12)
    is_webp = begin[:4] == b"RIFF" and begin[8:] == b"WEBP"
    is_bmp = begin[:2] == b"BM" and begin[6:10] == b"\0\0\0\0"  # not `BMW/1.jpg`
    return begin.startswith(_MAGIC) or is_webp or is_bmp


def _check_text(path):
    # Names need not be UTF-8, but control characters are in every binary format.
    with open(path, "rb") as file:
        begin = file.read(1 << 16)
    if begin.startswith((codecs.BOM_UTF16_LE, codecs.BOM_UTF16_BE)):
        raise ValueError(f"--images={path} is in UTF-16: save the list as UTF-8.")
    controls = set(begin) & (set(range(32)) - set(b"\0\t\n\r"))
    if controls:
        raise ValueError(
            f"--images={path} is neither an image that can be read (JPEG, PNG, GIF, "
            f"BMP, WebP) nor a list of paths: it holds the byte {min(controls):#04x}."
        )


def _walk(folder):
    # Names alone: a folder may have millions. Those of folders end in a slash.
    names = []
    try:
        with os.scandir(folder) as entries:
            for entry in entries:
                if entry.name.startswith("."):
                    continue
                if entry.is_dir(follow_symlinks=False):
                    names.append(f"{entry.name}/")
                elif entry.name.lower().endswith(PHOTO_EXTENSIONS):
                    names.append(entry.name)
    except OSError:
        # `read_image` tells why; what is inside is not lost without a word.
        yield folder
        return
    names.sort(key=lambda name: name.rstrip("/"))
    for name in names:
        path = os.path.join(folder, name.rstrip("/"))
        if name.endswith("/"):
            yield from _walk(path)
        else:
            yield path


def _read_list(path):
    with open(path, "rb") as file:
        block = file.read(1 << 16).removeprefix(codecs.BOM_UTF8)
        separator, ignored = (b"\0", b"") if b"\0" in block else (b"\n", b"\r")
        rest = b""
        while block:
            *lines, rest = (rest + block).split(separator)
            yield from _names_in(lines, ignored)
            block = file.read(1 << 16)
        yield from _names_in([rest], ignored)


def _names_in(lines, ignored):
    for line in lines:
        name = line.removesuffix(ignored)
        if name:
            yield os.fsdecode(name)
