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
from collections.abc import Iterable


@contextlib.contextmanager
def atomic_path(path):
    """A temporary path beside `path`, renamed to it if the block succeeds.

    Args:
        path: Where the file shall stand; its folder is made if missing.

    Yields:
        `pathlib.Path` to write to, with the same suffix.
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


def temporary_path(path):
    """A path beside `path` that no other process takes, on no machine."""
    return path.with_name(f".{secrets.token_hex(4)}.{path.name}")


def remove_leftovers(paths):
    """Removes those of `paths` that processes left which were killed while they wrote.

    What a process is still writing looks the same: only for paths to which nobody else
    writes, see `lock`.
    """
    for path in list(paths):
        if re.match(r"\.[0-9a-f]{8}\.", path.name):
            shutil.rmtree(path) if path.is_dir() else path.unlink()


def absolute(path):
    """An absolute path with `~` expanded; `None` stays."""
    return path and os.path.abspath(os.path.expanduser(path))


def write_text(path, text):
    """Writes UTF-8 text atomically."""
    with atomic_path(path) as temporary:
        temporary.write_text(text, encoding="utf-8")


def write_json(path, value):
    """Writes a value as indented JSON, atomically."""
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


def read_json(path):
    """Reads a JSON file.

    Raises:
        ValueError: If the file is not JSON; the message names it.
    """
    try:
        return json.loads(pathlib.Path(path).read_text(encoding="utf-8"))
    except (json.JSONDecodeError, UnicodeDecodeError) as error:
        raise ValueError(f"{path} is not a JSON file: {error}") from error


def sha256(path):
    """SHA-256 of a file's content, as hex."""
    return hashlib.sha256(pathlib.Path(path).read_bytes()).hexdigest()


def lock(file, what, wait=False):
    """Keeps other processes from a file until it is closed, where locks exist.

    Args:
        file: Open file.
        what: What the process that has it does, for the message.
        wait: Whether to wait for another process that has it.

    Raises:
        BlockingIOError: If another process has it.
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
