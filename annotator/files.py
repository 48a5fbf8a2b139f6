"""Files that are whole or not there: written to a temporary name, then renamed."""

import contextlib
import errno
import hashlib
import json
import os
import pathlib
import re
import shutil


@contextlib.contextmanager
def atomic_path(path):
    """A temporary path beside `path`, renamed to it if the block succeeds.

    Args:
        path: Where the file (or folder) shall stand; its folder is made if missing.

    Yields:
        `pathlib.Path` to write to, with the same suffix.
    """
    path = pathlib.Path(path)
    path.parent.mkdir(parents=True, exist_ok=True)
    temporary = path.with_name(f".{os.getpid()}.{path.name}")
    try:
        yield temporary
        os.replace(temporary, path)
    finally:
        if temporary.is_file():
            temporary.unlink()


def remove_leftovers(folder):
    """Removes what `atomic_path` and exports left when their process was killed."""
    for path in pathlib.Path(folder).rglob(".*"):
        if re.match(r"\.\d+\.", path.name):
            shutil.rmtree(path) if path.is_dir() else path.unlink()


def write_text(path, text):
    """Writes UTF-8 text atomically."""
    with atomic_path(path) as temporary:
        temporary.write_text(text, encoding="utf-8")


def write_json(path, value):
    """Writes a value as indented JSON, atomically."""
    write_text(path, json.dumps(value, indent=2, ensure_ascii=False) + "\n")


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


def lock(file, what):
    """Keeps other processes from a file until it is closed, where locks exist.

    Args:
        file: Open file.
        what: What the process that has it does, for the message.

    Raises:
        BlockingIOError: If another process has it.
    """
    with contextlib.suppress(ImportError):
        import fcntl

        try:
            fcntl.flock(file, fcntl.LOCK_EX | fcntl.LOCK_NB)
        except BlockingIOError as error:
            raise BlockingIOError(f"{what} by another process.") from error
        except OSError as error:
            # Some network file systems know no locks; two writers are then not seen.
            if error.errno not in (errno.ENOSYS, errno.ENOLCK, errno.EOPNOTSUPP):
                raise
