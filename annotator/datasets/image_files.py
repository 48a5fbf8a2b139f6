"""Image files on disk, as the source of a data set's images."""

import concurrent.futures
import hashlib
import os
from collections.abc import Iterable, Iterator, Sequence

import numpy as np
import tensorflow as tf

from annotator.files.image_formats import EXTENSIONS
from annotator.images.photos import graph_content

_READERS = 8
_PART = 1024
_UPPER_CASE = tuple(extension.upper() for extension in EXTENSIONS)


class ImageFiles:
    """The bytes of N image files, in order.

    Args:
        paths: Paths of N files.
    """

    def __init__(self, paths: Sequence[str | os.PathLike]) -> None:
        self.paths = tuple(os.fspath(path) for path in paths)

    def __len__(self) -> int:
        return len(self.paths)

    def encoded_images(self, start: int = 0) -> tf.data.Dataset:
        """Streams the files' bytes, undecoded but for what graphs do not decode.

        Args:
            start: The first file wanted.

        Returns:
            A `tf.data.Dataset` of scalar strings, `b""` for an unreadable file.
        """
        paths = np.array([os.fsencode(path) for path in self.paths[start:]], object)
        dataset = tf.data.Dataset.from_tensor_slices(
            tf.constant(paths, tf.string, shape=[len(paths)])
        )

        # Not `tf.io.read_file`: its error would end the whole stream.
        def read(path):
            encoded = tf.numpy_function(_graph_content_or_empty, [path], tf.string)
            return tf.ensure_shape(encoded, [])

        return dataset.map(read, num_parallel_calls=_READERS, deterministic=True)

    def read(self, row: int) -> bytes:
        """The bytes of one file, as `graph_content` makes them.

        Args:
            row: Its row.

        Returns:
            The bytes.

        Raises:
            OSError: When it cannot be read; says why.
            ValueError: As in `graph_content`.
        """
        with open(self.paths[row], "rb") as file:
            return graph_content(file.read(), self.paths[row])

    def states(self) -> Iterator[str]:
        """The state of each file, which changes when its content does.

        Not the file's time, which a copy or an unpacked archive may change: to read
        the files is little beside what would be computed from them again.

        Yields:
            SHA-256 of a file, as hex.
        """
        with concurrent.futures.ThreadPoolExecutor(_READERS) as pool:
            # By parts: the pool would read everything before the first is wanted.
            for start in range(0, len(self.paths), _PART):
                yield from pool.map(_checksum, self.paths[start : start + _PART])

    def select(self, rows: Iterable[int]) -> "ImageFiles":
        """The files of the given rows, in the given order."""
        return ImageFiles([self.paths[row] for row in rows])


class ImageDirectory:
    """Finds the files that a published list names, with or without extension.

    Args:
        *directories: Folders to look in, in this order.
    """

    def __init__(self, *directories: str) -> None:
        self.directories = directories
        self._names: dict[str, set[str]] = {}

    def find(self, entry: str) -> str | None:
        """Finds the file of a listed image.

        Args:
            entry: A path below one of the directories, `/`-separated.

        Returns:
            Its path, or `None` where there is none.
        """
        folder, name = os.path.split(entry.replace("\\", "/"))
        for directory in self.directories:
            folder_path = os.path.join(directory, folder)
            names = self._names_in(folder_path)
            for extension in ("", *EXTENSIONS, *_UPPER_CASE):
                if name + extension in names:
                    return os.path.join(folder_path, name + extension)
        return None

    def _names_in(self, folder):
        # One listing a folder is much faster than asking for each candidate name.
        if folder not in self._names:
            try:
                with os.scandir(folder) as entries:
                    names = {entry.name for entry in entries if entry.is_file()}
            except (FileNotFoundError, NotADirectoryError):
                names = set()
            self._names[folder] = names
        return self._names[folder]


def _read_or_empty(path):
    try:
        with open(path, "rb") as file:
            return file.read()
    except OSError:
        return b""


def _graph_content_or_empty(path):
    try:
        return graph_content(_read_or_empty(path), os.fsdecode(path))
    except ValueError:
        return b""


def _checksum(path):
    return hashlib.sha256(_read_or_empty(path)).hexdigest()
