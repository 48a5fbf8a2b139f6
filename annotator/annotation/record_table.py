"""Records as a Parquet file, the same columns whatever they hold."""

import itertools
import os
from collections.abc import Iterable, Iterator
from typing import Any

import pyarrow as pa
import pyarrow.parquet

from annotator import files

# What a record does not have is null.
SCHEMA = pa.schema(
    [
        ("image", pa.string()),
        ("caption", pa.string()),
        ("caption_score", pa.float64()),
        ("caption_word_probability", pa.float64()),
        (
            "captions",
            pa.list_(
                pa.struct(
                    [
                        ("caption", pa.string()),
                        ("score", pa.float64()),
                        ("word_probability", pa.float64()),
                    ]
                )
            ),
        ),
        ("tags", pa.list_(pa.string())),
        ("tag_scores", pa.list_(pa.float64())),
        ("tag_probabilities", pa.list_(pa.float64())),
        ("error", pa.string()),
    ]
)

_ROWS = 8192  # of a row group: what is held in memory


def write(path: str | os.PathLike, records: Iterable[dict[str, Any]]) -> None:
    """Writes a Parquet file, atomically.

    Args:
        path: The file.
        records: Dicts as `annotator.annotation.records.records` yields them. Bytes of
            a file name that are no text become `\\xff`.
    """
    records = map(_as_text, records)
    with files.atomic_path(path) as temporary:
        with pa.parquet.ParquetWriter(temporary, SCHEMA) as writer:
            while rows := list(itertools.islice(records, _ROWS)):
                writer.write_table(pa.Table.from_pylist(rows, SCHEMA))


def errors(path: str | os.PathLike) -> Iterator[tuple[str, str | None]]:
    """The errors in a file.

    Args:
        path: The file.

    Yields:
        `(image, error)` of each record; `None` for no error.
    """
    with pa.parquet.ParquetFile(path) as file:
        for batch in file.iter_batches(columns=["image", "error"]):
            yield from zip(
                batch["image"].to_pylist(), batch["error"].to_pylist(), strict=True
            )


def _as_text(record):
    valid = {
        key: value.encode("utf-8", "surrogateescape").decode(
            "utf-8", "backslashreplace"
        )
        for key, value in record.items()
        if key in ("image", "error")
    }
    return {**record, **valid}
