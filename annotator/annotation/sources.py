"""Where images come from: files, or a table that holds their bytes.

Both kinds are cut into pieces, JSON-ready descriptions of a few images each, which are
small enough to be sent to whoever reads the images.
"""

import collections
import itertools
import operator
import os
import pathlib

import pyarrow as pa
import pyarrow.parquet

from annotator.annotation.listing import list_images, read_image
from annotator.images import decode as images
from annotator.images.read_ahead import map_ahead, size_of

# Rows of a row group cannot be found without reading those before them.
_CUTS_OF_A_ROW_GROUP = 16


def find_source(path):
    """The images that a user means.

    Args:
        path: A `.parquet` file, or a folder that is called so or holds Parquet files
            and nothing else, is a table; all else is files, as
            `image_listing.list_images` takes them.

    Returns:
        `ImageTable` or `ImageFiles`.
    """
    path = os.fspath(path)
    return ImageTable(path) if _is_table(path) else ImageFiles(path)


class ImageFiles:
    """Image files.

    Args:
        path: As `image_listing.list_images` takes it.
    """

    def __init__(self, path):
        self.path = path

    def count(self):
        """Number of images."""
        return sum(1 for _ in self.names())

    def names(self):
        """Iterator over the names of all images."""
        return iter(list_images(self.path))

    def pieces(self, done, size):
        """Cuts what is left to do.

        Args:
            done: Iterable of names that are done, as in `without_done`.
            size: Images in a piece; the last one may have fewer.

        Yields:
            List of names.
        """
        names = without_done(self.names(), done)
        while piece := list(itertools.islice(names, size)):
            yield piece

    def read(self, pieces, workers=None, ahead=32):
        """Reads images.

        Args:
            pieces: Iterable of what `pieces` yields.
            workers, ahead: As in `decoding.map_ahead`.

        Returns:
            Iterator over `(name, content)`; `content` is the `bytes` of an image file,
            or an exception that says why there are none.
        """
        names = itertools.chain.from_iterable(pieces)
        return map_ahead(read_image, names, workers, ahead, result_bytes=size_of)


class ImageTable:
    """A table of image files: Parquet with the columns `image` and `content`.

    `image`, a string, names the image in its record; `content`, binary, holds the bytes
    of its file. Other columns are left alone.

    Args:
        path: A Parquet file, or a folder; those below it whose names, and whose
            folders' names, begin with neither `.` nor `_` make up the table.
    """

    def __init__(self, path):
        self.path = path

    def count(self):
        """Number of rows.

        Raises:
            ValueError: If a file is no Parquet file or lacks a column.
        """
        total = 0
        for path in self._files():
            with _opened(path) as file:
                _check_columns(path, file.schema_arrow)
                total += file.metadata.num_rows
        return total

    def names(self):
        """Iterator over the names of all images."""
        return (name for *_, name in self._rows())

    def pieces(self, done, size):
        """Cuts what is left to do; as `ImageFiles.pieces`, but for what it yields.

        Yields:
            Dict of `file`, the number of a `row_group` in it, and a list of `rows`. A
            row group is cut into no more than 16 pieces, however small `size` is.
        """
        rows = without_done(self._rows(), done, key=operator.itemgetter(3))
        for place, group in itertools.groupby(rows, key=operator.itemgetter(0, 1)):
            numbers = [number for *_, number, _ in group]
            step = max(size, -(-len(numbers) // _CUTS_OF_A_ROW_GROUP))
            for start in range(0, len(numbers), step):
                rows_of_piece = numbers[start : start + step]
                yield {"file": place[0], "row_group": place[1], "rows": rows_of_piece}

    def read(self, pieces, workers=None, ahead=32):
        """Reads images, as `ImageFiles.read` but in this thread alone."""
        for piece in pieces:
            yield from _read_rows(**piece)

    def _files(self):
        root = pathlib.Path(self.path)
        if root.is_file():
            return [self.path]
        found = sorted(root.rglob("*.parquet"))
        return [str(path) for path in found if not _hidden(path.relative_to(root))]

    def _rows(self):
        """`(file, row group, row in it, name)` of all images."""
        for path in self._files():
            with _opened(path) as file:
                for group in range(file.num_row_groups):
                    batches = file.iter_batches(row_groups=[group], columns=["image"])
                    names = (name for batch in batches for name in batch[0].to_pylist())
                    for row, name in enumerate(names):
                        if name is None:
                            raise ValueError(
                                f"{path}: row {row} of row group {group} has no name "
                                "in the column image."
                            )
                        yield path, group, row, name


def without_done(items, done, key=None):
    """What is left to do.

    Args:
        items: Iterable of names, or of anything that has one; a name may come several
            times.
        done: Iterable of names that are done. While both are in the same order, as they
            are if no file came or went, neither is held in memory.
        key: Function of an item that returns its name, if it is not the name itself.

    Yields:
        `items` without as many of each name as are in `done`.
    """
    done = iter(done)
    rest = None
    for item in items:
        name = key(item) if key else item
        if rest is None:
            first = next(done, None)
            if first == name:
                continue
            rest = collections.Counter(done if first is None else [first, *done])
        if rest[name]:
            rest[name] -= 1
        else:
            yield item


def _is_table(path):
    if path.rstrip(os.sep).lower().endswith(".parquet"):
        return os.path.exists(path)
    if not os.path.isdir(path):
        return False
    found = False
    try:
        with os.scandir(path) as entries:
            for entry in entries:
                if not entry.name.startswith((".", "_")):
                    # Photographs beside the records of an earlier run are no table.
                    if not entry.name.lower().endswith(".parquet"):
                        return False
                    found = True
    except OSError:
        return False  # `list_images` says why.
    return found


def _hidden(path):
    return any(part.startswith((".", "_")) for part in path.parts)


def _opened(path):
    try:
        # Buffered: otherwise a whole row group's bytes are held at once.
        return pa.parquet.ParquetFile(path, buffer_size=1 << 20)
    except pa.ArrowInvalid as error:
        raise ValueError(f"{path} is no Parquet file: {error}") from error


def _check_columns(path, schema):
    kinds = {
        "image": ("string", "large_string", "string_view"),
        "content": ("binary", "large_binary", "binary_view"),
    }
    for name, allowed in kinds.items():
        if name not in schema.names:
            raise ValueError(
                f"{path} has no column {name}: a table of images needs `image`, a "
                f"string, and `content`, the bytes. It has {', '.join(schema.names)}."
            )
        kind = str(schema.field(name).type)
        if kind not in allowed:
            raise ValueError(
                f"{path}: the column {name} must be {allowed[0]}, it is {kind}."
            )


def _read_rows(file, row_group, rows):
    rows, position = iter(rows), 0
    wanted = next(rows, None)
    with _opened(file) as parquet:
        batches = parquet.iter_batches(16, [row_group], ["image", "content"])
        while wanted is not None:
            batch = _next_batch(file, row_group, batches)
            names, contents = batch["image"], batch["content"]
            while wanted is not None and wanted < position + len(batch):
                name = names[wanted - position].as_py()
                yield name, _content(contents[wanted - position])
                wanted = next(rows, None)
            position += len(batch)


def _next_batch(file, row_group, batches):
    try:
        batch = next(batches, None)
    except (pa.ArrowException, OSError) as error:
        raise ValueError(f"{file}: row group {row_group}: {error}") from error
    if batch is None:
        raise ValueError(
            f"{file}: row group {row_group} lost rows since it was listed."
        )
    return batch


def _content(value):
    content = value.as_py()
    if content is None:
        return ValueError("The table holds no bytes of it.")
    if len(content) > images.MAX_BYTES:
        return ValueError(
            f"A file of more than {images.MAX_BYTES} bytes is refused; it has "
            f"{len(content)}."
        )
    return content
