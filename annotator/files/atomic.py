"""Files that are whole or not there: written to a temporary name, then renamed."""

import contextlib
import errno
import io
import os
import pathlib
import re
import secrets
import shutil
import stat
from collections.abc import Iterable, Iterator
from typing import IO, Any, TextIO

_NOFOLLOW = getattr(os, "O_NOFOLLOW", 0)
_TEMPORARY = re.compile(r"\.annotator-[0-9a-f]{16}\.")
_LONGEST_NAME = 255  # bytes
# Why a place takes no files.
_NO_PLACE = (
    *(errno.EACCES, errno.EPERM, errno.EROFS, errno.ENOTDIR, errno.EEXIST),
    *(errno.ENOSPC, errno.EDQUOT),
)


@contextlib.contextmanager
def atomic_path(path: str | os.PathLike[str]) -> Iterator[pathlib.Path]:
    """Gives a temporary path beside `path`, renamed to it if the block succeeds.

    For libraries that open files themselves; what we write goes to `atomic_file`.

    Args:
        path: Where the file shall stand; its folder is made if missing.

    Yields:
        The path of an empty file to write to, with the same suffix.
    """
    path = pathlib.Path(path)
    temporary, descriptor = _create(path)
    # Not kept open: HDF5 refuses a file that somebody has locked.
    os.close(descriptor)
    try:
        yield temporary
        os.replace(temporary, path)
    finally:
        temporary.unlink(missing_ok=True)


@contextlib.contextmanager
def writing_to(folder: str | os.PathLike[str], flag: str) -> Iterator[None]:
    """Names the flag that mends it where a folder takes no files.

    Args:
        folder: The folder, or the file, that is written in the block.
        flag: The flag that names it.

    Yields:
        Nothing.

    Raises:
        OSError: When it is read-only or full, or lies where no folder can be; the
            message names folder, flag and reason.
    """
    try:
        yield
    except OSError as error:
        named = isinstance(error.filename, str)
        at_fault = os.path.abspath(error.filename if named else folder)
        place = os.path.abspath(folder)
        # What is above it counts: a folder that could not be made.
        related = os.path.commonpath([place, at_fault]) in (place, at_fault)
        if error.errno not in _NO_PLACE or not related:
            raise
        raise OSError(
            f"{at_fault} cannot be written: {error.strerror}. Name another place with "
            f"--{flag}."
        ) from error


@contextlib.contextmanager
def atomic_file(
    path: str | os.PathLike[str], newline: str | None = None, errors: str = "strict"
) -> Iterator[TextIO]:
    """Opens a temporary file for UTF-8 text, renamed if the block succeeds.

    `remove_leftovers` leaves it alone while the block lasts, in any process.

    Args:
        path: Where the file shall stand; its folder is made if missing.
        newline: As in `open`.
        errors: As in `open`.

    Yields:
        The file.
    """
    path = pathlib.Path(path)
    temporary, descriptor = _create(path)
    held = os.dup(descriptor)  # the lock outlives the file, whose closing may fail
    try:
        with open(
            descriptor, "w", encoding="utf-8", newline=newline, errors=errors
        ) as file:
            yield file
        os.replace(temporary, path)
    finally:
        os.close(held)
        temporary.unlink(missing_ok=True)


def temporary_folder(path: str | os.PathLike[str]) -> pathlib.Path:
    """Makes a folder beside a path, to be renamed to it when it is whole.

    Args:
        path: Where the folder shall stand in the end; the one it is in is made if
            missing.

    Returns:
        Path of the new, empty folder.
    """
    path = pathlib.Path(path)
    path.parent.mkdir(parents=True, exist_ok=True)
    temporary = _temporary_path(path)
    temporary.mkdir()
    return temporary


def open_to_append(path: str | os.PathLike[str]) -> io.FileIO:
    """Opens a file that grows, or that is only there to be locked.

    Not buffered: what is written is the kernel's, whatever comes.

    Args:
        path: The file; made if missing.

    Returns:
        The file, to read and append to.

    Raises:
        OSError: When it cannot be opened, is a link or no file; the message names it.
    """

    def opener(name, flags):
        # A pipe would wait for somebody otherwise.
        return os.open(name, flags | _NOFOLLOW | os.O_NONBLOCK, 0o666)

    try:
        file = open(path, "ab+", buffering=0, opener=opener)
    except OSError as error:
        if error.errno != errno.ELOOP:
            raise
        raise OSError(f"{path} is a link, which is not followed: remove it.") from error
    if not stat.S_ISREG(os.fstat(file.fileno()).st_mode):
        file.close()
        raise OSError(f"{path} is no regular file: remove it.")
    return file


def remove_leftovers(paths: Iterable[pathlib.Path]) -> None:
    """Removes temporary files and folders of processes that were killed.

    What a process is still writing looks the same, unless it is an `atomic_file`: only
    for paths to which nobody else writes, see `lock`.

    Args:
        paths: Files and folders; what has not the name of a temporary one stays.
    """
    for path in list(paths):
        if not _TEMPORARY.match(path.name) or path.is_symlink():
            continue
        if path.is_dir():
            shutil.rmtree(path)
        elif path.is_file():
            _remove_unless_locked(path)


def _create(path):
    """`(path, descriptor)` of a new file for what shall stand at `path`.

    Its name is known to nobody beforehand, it was not there, and it is no link.
    """
    path.parent.mkdir(parents=True, exist_ok=True)
    while True:
        temporary = _temporary_path(path)
        flags = os.O_RDWR | os.O_CREAT | os.O_EXCL | _NOFOLLOW
        descriptor = os.open(temporary, flags, 0o666)
        with contextlib.suppress(ImportError, OSError):
            import fcntl

            fcntl.flock(descriptor, fcntl.LOCK_EX)
        # Before the lock, somebody may have taken it for a leftover.
        if temporary.exists():
            return temporary, descriptor
        os.close(descriptor)


def _temporary_path(path):
    begin = f".annotator-{secrets.token_hex(8)}."
    name = os.fsencode(path.name)[-(_LONGEST_NAME - len(begin)) :]
    return path.with_name(begin + os.fsdecode(name))


def _remove_unless_locked(path):
    try:
        with open(path, "rb+") as file:
            lock(file, str(path))
            path.unlink()
    except OSError:  # another process has it, or another user
        pass


def lock(file: IO[Any], what: str, wait: bool = False) -> None:
    """Keeps other processes from a file until it is closed, where locks exist.

    Args:
        file: Open file.
        what: What the process that has it does, for the message.
        wait: Whether to wait for another process that has it.

    Raises:
        BlockingIOError: When another process has it.
    """
    with contextlib.suppress(ImportError):
        import fcntl

        try:
            fcntl.flock(file, fcntl.LOCK_EX | fcntl.LOCK_NB)
        except BlockingIOError as error:
            if not wait:
                raise BlockingIOError(f"{what} by another process.") from error
            print(f"{what} by another process: waiting for it")
            fcntl.flock(file, fcntl.LOCK_EX)
        except OSError as error:
            # Some network file systems know no locks; two writers are then not seen.
            if error.errno not in (errno.ENOSYS, errno.ENOLCK, errno.EOPNOTSUPP):
                raise
