"""A Parquet table of image files as a source of images."""

import itertools
import operator
import os
import pathlib
from collections.abc import Iterable, Iterator
from typing import Any

import pyarrow as pa
import pyarrow.parquet

from annotator.annotation.remaining import without_done
from annotator.images.decode import MAX_BYTES

# Rows of a row group cannot be found without reading those before them.
_CUTS_OF_A_ROW_GROUP = 16


class TableSource:
    """A table of image files: Parquet with the columns `image` and `content`.

    `image`, a string, names the image in its record; `content`, binary, holds the bytes
    of its file. Other columns are left alone.

    Args:
        path: A Parquet file, or a folder; those below it whose names, and whose
            folders' names, begin with neither `.` nor `_` make up the table.
    """

    def __init__(self, path: str | os.PathLike) -> None:
        self.path = path

    def count(self) -> int:
        """Number of rows.

        Raises:
            ValueError: When a file is no Parquet file or lacks a column.
        """
        total = 0
        for path in self._files():
            with _opened(path) as file:
                _check_columns(path, file.schema_arrow)
                total += file.metadata.num_rows
        return total

    def names(self) -> Iterator[str]:
        """Iterator over the names of all images."""
        return (name for *_, name in self._rows())

    def pieces(self, done: Iterable[str], size: int) -> Iterator[dict[str, Any]]:
        """Cuts what is left to do.

        Args:
            done: Names that are done, as in `without_done`.
            size: Images in a piece; the last one of a row group may have fewer.

        Yields:
            Dict of `file`, the number of a `row_group` in it, and a list of `rows`. A
            row group is cut into no more than 16 pieces, however small `size` is.
        """
        rows = without_done(self._rows(), done, key=operator.itemgetter(3))
        for (file, row_group), group in itertools.groupby(
            rows, key=operator.itemgetter(0, 1)
        ):
            numbers = [row for _, _, row, _ in group]
            step = max(size, -(-len(numbers) // _CUTS_OF_A_ROW_GROUP))
            for start in range(0, len(numbers), step):
                yield {
                    "file": file,
                    "row_group": row_group,
                    "rows": numbers[start : start + step],
                }

    def read(
        self,
        pieces: Iterable[dict[str, Any]],
        workers: int | None = None,
        ahead: int = 32,
    ) -> Iterator[tuple[str, bytes | Exception]]:
        """Reads images, in this thread alone.

        Args:
            pieces: Pieces as `pieces` yields them.
            workers: Not used: the arguments are those of `FileSource.read`.
            ahead: Not used either.

        Yields:
            `(name, content)`; `content` is the `bytes` of an image file, or an
            exception that says why there are none.
        """
        for piece in pieces:
            yield from _read_rows(**piece)

    def _files(self):
        root = pathlib.Path(self.path)
        if root.is_file():
            return [self.path]
        paths = sorted(root.rglob("*.parquet"))
        return [str(path) for path in paths if not _hidden(path.relative_to(root))]

    def _rows(self):
        """`(file, row group, row in it, name)` of all images."""
        for path in self._files():
            with _opened(path) as file:
                for row_group in range(file.num_row_groups):
                    batches = file.iter_batches(
                        row_groups=[row_group], columns=["image"]
                    )
                    names = (name for batch in batches for name in batch[0].to_pylist())
                    for row, name in enumerate(names):
                        if name is None:
                            raise ValueError(
                                f"{path}: row {row} of row group {row_group} has no "
                                "name in the column image."
                            )
                        yield path, row_group, row, name


def is_table(path: str) -> bool:
    """Whether a path is that of a table, by its name or by what is in it."""
    if path.rstrip(os.sep).lower().endswith(".parquet"):
        return os.path.exists(path)
    if not os.path.isdir(path):
        return False
    has_tables = False
    try:
        with os.scandir(path) as entries:
            for entry in entries:
                if not entry.name.startswith((".", "_")):
                    # Photographs beside the records of an earlier run are no table.
                    if not entry.name.lower().endswith(".parquet"):
                        return False
                    has_tables = True
    except OSError:
        return False  # `list_images` says why.
    return has_tables


def _hidden(path):
    return any(part.startswith((".", "_")) for part in path.parts)


def _opened(path):
    try:
        # Buffered: otherwise a whole row group's bytes are held at once.
        return pa.parquet.ParquetFile(path, buffer_size=1 << 20)
    except pa.ArrowInvalid as error:
        raise ValueError(f"{path} is no Parquet file: {error}") from error


def _check_columns(path, schema):
    allowed_types = {
        "image": ("string", "large_string", "string_view"),
        "content": ("binary", "large_binary", "binary_view"),
    }
    for column, allowed in allowed_types.items():
        if column not in schema.names:
            raise ValueError(
                f"{path} has no column {column}: a table of images needs `image`, a "
                f"string, and `content`, the bytes. It has {', '.join(schema.names)}."
            )
        column_type = str(schema.field(column).type)
        if column_type not in allowed:
            raise ValueError(
                f"{path}: the column {column} must be {allowed[0]}, it is "
                f"{column_type}."
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
    if len(content) > MAX_BYTES:
        return ValueError(
            f"A file of more than {MAX_BYTES} bytes is refused; it has {len(content)}."
        )
    return content
