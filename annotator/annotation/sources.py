"""Sources of images: files, or a table that holds their bytes.

Both kinds are cut into pieces, JSON-ready descriptions of a few images each, which are
small enough to be sent to whoever reads the images.
"""

import itertools
import os
from collections.abc import Iterable, Iterator
from typing import TypeAlias

from annotator.annotation.listing import list_images, read_image
from annotator.annotation.remaining import without_done
from annotator.annotation.table_source import TableSource, is_table
from annotator.images.read_ahead import map_ahead, size_of


class FileSource:
    """Image files.

    Args:
        path: A folder, file, list or pattern, as `list_images` takes it.
    """

    def __init__(self, path: str | os.PathLike) -> None:
        self.path = path

    def count(self) -> int:
        """Number of images."""
        return sum(1 for _ in self.names())

    def names(self) -> Iterator[str]:
        """Iterator over the names of all images."""
        return iter(list_images(self.path))

    def pieces(self, done: Iterable[str], size: int) -> Iterator[list[str]]:
        """Cuts what is left to do.

        Args:
            done: Names that are done, as in `without_done`.
            size: Images in a piece; the last one may have fewer.

        Yields:
            List of names.
        """
        names = without_done(self.names(), done)
        while piece := list(itertools.islice(names, size)):
            yield piece

    def read(
        self,
        pieces: Iterable[list[str]],
        workers: int | None = None,
        ahead: int = 32,
    ) -> Iterator[tuple[str, bytes | Exception]]:
        """Reads images, in threads.

        Args:
            pieces: Pieces as `pieces` yields them.
            workers: Threads that read; by default as many as there are cores.
            ahead: Files begun before the first is asked for, as in `map_ahead`.

        Returns:
            Iterator over `(name, content)`; `content` is the `bytes` of an image file,
            or an exception that says why there are none.
        """
        names = itertools.chain.from_iterable(pieces)
        return map_ahead(read_image, names, workers, ahead, result_bytes=size_of)


Source: TypeAlias = FileSource | TableSource


def find_source(path: str | os.PathLike) -> Source:
    """The images that a user means.

    Args:
        path: A `.parquet` file, or a folder that is called so or holds Parquet files
            and nothing else, is a table; all else is files, as `list_images` takes
            them.

    Returns:
        A `TableSource` or a `FileSource`.
    """
    path = os.fspath(path)
    return TableSource(path) if is_table(path) else FileSource(path)
