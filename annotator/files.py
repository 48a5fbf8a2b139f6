"""Files that are whole or not there: written to a temporary name, then renamed."""

import contextlib
import csv
import errno
import hashlib
import json
import os
import pathlib
import re
import secrets
import shutil
from collections.abc import Iterable, Iterator
from typing import IO, Any, overload

# Why a place takes no files.
_NO_PLACE = (
    *(errno.EACCES, errno.EPERM, errno.EROFS, errno.ENOTDIR, errno.EEXIST),
    *(errno.ENOSPC, errno.EDQUOT),
)


@contextlib.contextmanager
def atomic_path(path: str | os.PathLike[str]) -> Iterator[pathlib.Path]:
    """Gives a temporary path beside `path`, renamed to it if the block succeeds.

    Args:
        path: Where the file shall stand; its folder is made if missing.

    Yields:
        The path to write to, with the same suffix.
    """
    path = pathlib.Path(path)
    path.parent.mkdir(parents=True, exist_ok=True)
    temporary = temporary_path(path)
    try:
        yield temporary
        os.replace(temporary, path)
    finally:
        if temporary.is_file():
            temporary.unlink()


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


def temporary_path(path: pathlib.Path) -> pathlib.Path:
    """Makes up a path beside another that no other process takes, on no machine.

    Args:
        path: Where the file or folder shall stand in the end.

    Returns:
        A path in the same folder, with the same suffix.
    """
    return path.with_name(f".{secrets.token_hex(4)}.{path.name}")


def remove_leftovers(paths: Iterable[pathlib.Path]) -> None:
    """Removes temporary paths of processes that were killed while they wrote.

    What a process is still writing looks the same: only for paths to which nobody else
    writes, see `lock`.

    Args:
        paths: Files and folders; what has no name of `temporary_path` stays.
    """
    for path in list(paths):
        if re.match(r"\.[0-9a-f]{8}\.", path.name):
            shutil.rmtree(path) if path.is_dir() else path.unlink()


@overload
def absolute(path: None) -> None: ...
@overload
def absolute(path: str) -> str: ...
def absolute(path: str | None) -> str | None:
    """Makes a path absolute, with `~` expanded.

    Args:
        path: A path; `None` stays.

    Returns:
        The absolute path, or `None`.
    """
    return path and os.path.abspath(os.path.expanduser(path))


def write_text(path: str | os.PathLike[str], text: str) -> None:
    """Writes UTF-8 text atomically.

    Args:
        path: The file.
        text: Its content.
    """
    with atomic_path(path) as temporary:
        temporary.write_text(text, encoding="utf-8")


def write_json(path: str | os.PathLike[str], value: Any) -> None:
    """Writes a value as indented JSON, atomically.

    Args:
        path: The file.
        value: What `json` can write.
    """
    write_text(path, json.dumps(value, indent=2, ensure_ascii=False) + "\n")


def write_csv(
    path: str | os.PathLike, header: Iterable[str], rows: Iterable[Iterable]
) -> None:
    """Writes a CSV file atomically.

    Args:
        path: The file.
        header: Names of the columns.
        rows: Values of each row.
    """
    with atomic_path(path) as temporary:
        with open(temporary, "w", newline="", encoding="utf-8") as file:
            writer = csv.writer(file)
            writer.writerow(header)
            writer.writerows(rows)


def read_json(path: str | os.PathLike[str]) -> Any:
    """Reads a JSON file.

    Args:
        path: The file.

    Returns:
        Its value.

    Raises:
        ValueError: When the file is not JSON; the message names it.
    """
    try:
        return json.loads(pathlib.Path(path).read_text(encoding="utf-8"))
    except (json.JSONDecodeError, UnicodeDecodeError) as error:
        raise ValueError(f"{path} is not a JSON file: {error}") from error


def sha256(path: str | os.PathLike[str]) -> str:
    """Hashes a file's content.

    Args:
        path: The file.

    Returns:
        SHA-256, as hex.
    """
    return hashlib.sha256(pathlib.Path(path).read_bytes()).hexdigest()


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
