"""A file of records that grows by whole lines and survives a kill."""

import glob
import hashlib
import json
import os
import pathlib
import secrets
from collections.abc import Callable, Iterable, Iterator
from datetime import datetime, timezone
from typing import Any

from annotator import files
from annotator.annotation import record_csv, record_table
from annotator.config.names import check_output

_DIGESTS = 2**256
_RUN = "run"  # in the settings' file


class RecordFile:
    """The output of a run over many images, continued where an earlier try stopped.

    Three files tell the state, and nothing else does:

    - `OUTPUT.settings.json` is written first and says what makes the records. A run
      with other settings is refused;
    - `OUTPUT.partial` has one JSON record a line, in the order they were made. Records
      are only appended; a line that a kill has cut off, and the records of a batch that
      it has cut off, are taken away when the file is opened again, and their images
      count as not done;
    - `OUTPUT` appears, by renaming, when all records are there. `OUTPUT.partial` then
      goes and `OUTPUT.settings.json` stays.

    A second process that opens the same output is refused.

    Args:
        path: `OUTPUT`, ending in `.jsonl`, `.csv` or `.parquet`.
        settings: What makes the records, a JSON-ready dict. `csv_formulas` in it says
            how a CSV file is written, see `record_csv`.
        batch_size: Records that are made at a time. The last digits of a score depend
            on the other images of a batch, so a run goes on from whole ones.

    Attributes:
        finished: Whether `OUTPUT` is complete.
        records: Number of records.
        failed: Number of records with an error.
        run: Identity of the run, also that of an earlier try: `run` of the settings.

    Raises:
        ValueError: When the ending is another, the path is no file's, or the file has
            other settings.
        BlockingIOError: When another process is writing it.
    """

    def __init__(
        self, path: str | os.PathLike, settings: dict[str, Any], batch_size: int = 1
    ) -> None:
        check_output(path)
        self.path = pathlib.Path(path)
        self._format = self.path.suffix.lower()
        if self.path.is_dir() or (self.path.is_symlink() and not self.path.exists()):
            raise ValueError(
                f"--output={path} is a folder, or a link to nowhere: name a file."
            )
        self._partial = self.path.with_name(f"{self.path.name}.partial")
        self._settings = self.path.with_name(f"{self.path.name}.settings.json")
        self._formulas = bool(settings.get("csv_formulas"))
        with files.writing_to(path, "output"):
            self.path.parent.mkdir(parents=True, exist_ok=True)
        self.records = 0
        self.failed = 0
        self.run = run_identity()
        self._names_digest = 0
        self._file: Any = None  # the open partial file, while there is one
        if not self.path.exists():
            with files.writing_to(self.path.parent, "output"):
                self._file = files.open_to_append(self._partial)
        try:
            if self._file is not None:
                files.lock(self._file, f"{self._partial} is being written")
                if self.path.exists():  # another process has just finished it
                    self._close()
            self._claim(settings)
        except BaseException:
            self._close()
            raise
        self.finished = self._file is None
        if not self.finished:
            self._remove_leftovers()
            self._file.truncate(self._count(self._partial, batch_size))
            return
        # A kill may have come just before it was removed.
        self._partial.unlink(missing_ok=True)
        if self._format == ".jsonl":
            self._count(self.path, 1)
        else:
            errors: Iterator[tuple[str, str | None]]
            if self._format == ".csv":
                errors = record_csv.errors(self.path, self._formulas)
            else:
                errors = record_table.errors(self.path)
            for name, error in errors:
                self._add(name, error)

    def __enter__(self) -> "RecordFile":
        return self

    def __exit__(self, *error: object) -> None:
        self._close()

    def is_of(self, names: Iterable[str]) -> bool:
        """Whether the records are of these images, in whatever order."""
        return self._names_digest == sum(map(_digest, names)) % _DIGESTS

    def names(self) -> Iterator[str]:
        """Iterator over the images that have records, in the order of the records."""
        for record, _ in _read(self._partial):
            yield record["image"]

    def append(self, record: dict[str, Any]) -> None:
        """Adds a record.

        Args:
            record: A JSON-ready dict with `image` and maybe `error`.

        Raises:
            OSError: When it cannot be written; the message says how to go on.
        """
        line = memoryview(to_json(record).encode("utf-8") + b"\n")
        try:
            while line:
                line = line[self._file.write(line) :]
        except OSError as error:
            raise OSError(
                f"{self._partial}: {error.strerror}. It holds {self.records} records; "
                "make room and give the same command again, and it goes on from there."
            ) from error
        self._add(record["image"], record.get("error"))

    def finish(self, columns: Callable[[dict[str, Any]], dict[str, Any]]) -> None:
        """Makes `OUTPUT` from the records.

        Args:
            columns: Function of a record that returns its row of a CSV file as a dict;
                every row has the same keys.

        Raises:
            OSError: When it cannot be written; the message says how to go on.
        """
        os.fsync(self._file.fileno())
        if self._format == ".jsonl":
            os.replace(self._partial, self.path)
        else:
            try:
                self._convert(columns)
            except OSError as error:
                raise OSError(
                    f"{self.path}: {error.strerror or error}. All records are in "
                    f"{self._partial}; make room and give the same command again."
                ) from error
            self._partial.unlink()
        self.finished = True

    def _convert(self, columns):
        records = (record for record, _ in _read(self._partial))
        if self._format == ".csv":
            record_csv.write(self.path, map(columns, records), self._formulas)
        else:
            record_table.write(self.path, records)

    def _remove_leftovers(self):
        """Removes what a process left that was killed while it made `OUTPUT`."""
        name = glob.escape(self.path.name)
        files.remove_leftovers(self.path.parent.glob(f".annotator-*.{name}"))

    def _claim(self, settings):
        if self._settings.is_file():
            other = files.read_json(self._settings)
            differing = [
                f"{name}={other.get(name)}"
                for name in dict.fromkeys([*other, *settings])
                if name != _RUN and other.get(name) != settings.get(name)
            ]
            if differing and (self.path.exists() or self._partial.stat().st_size):
                raise ValueError(
                    f"{self.path} belongs to a run with {', '.join(differing)}. Give "
                    "the same settings again, name another --output, or remove "
                    f"{self.path}*."
                )
            if not differing:
                self.run = other.get(_RUN) or self.run
        else:
            for path in (self.path, self._partial):
                if path.exists() and path.stat().st_size:
                    raise ValueError(
                        f"{path} exists, and no {self._settings.name} tells how it was "
                        "made: name another --output, or remove it."
                    )
        # In ASCII: paths need not be UTF-8.
        text = json.dumps({**settings, _RUN: self.run}, indent=2)
        files.write_text(self._settings, text + "\n")

    def _count(self, path, batch_size):
        """Counts the records of whole batches; returns the bytes that they take."""
        size, batch = 0, []
        for record, end in _read(path):
            batch.append((record["image"], record.get("error")))
            if len(batch) == batch_size:
                for name, error in batch:
                    self._add(name, error)
                size, batch = end, []
        return size

    def _add(self, name, error):
        self.records += 1
        self.failed += bool(error)
        self._names_digest = (self._names_digest + _digest(name)) % _DIGESTS

    def _close(self):
        if self._file is not None:
            self._file.close()
            self._file = None


def run_identity() -> str:
    """Makes up the identity of a run: when it began, and what no other one has."""
    now = datetime.now(timezone.utc)
    return f"{now:%Y%m%d-%H%M%S}-{secrets.token_hex(4)}"


def run_of(path: str | os.PathLike) -> str:
    """The identity of the run that wrote a file of records.

    Args:
        path: `OUTPUT`, as in `RecordFile`.
    """
    return files.read_json(f"{os.fspath(path)}.settings.json")[_RUN]


def _digest(name):
    """A number of a name; names that differ in bytes that are no text are the same."""
    text = name.encode("utf-8", "surrogateescape").decode("utf-8", "backslashreplace")
    return int.from_bytes(hashlib.sha256(text.encode()).digest(), "big")


def to_json(record: dict[str, Any], indent: int | None = None) -> str:
    """A record as JSON; letters are kept as they are, if they are valid text.

    Args:
        record: The record.
        indent: Spaces of indentation; `None` for a single line.

    Returns:
        The text, which can be written as UTF-8.
    """
    text = json.dumps(record, ensure_ascii=False, allow_nan=False, indent=indent)
    try:
        text.encode("utf-8")
    except UnicodeEncodeError:  # bytes of a file name that are none
        text = json.dumps(record, allow_nan=False, indent=indent)
    return text


def _read(path):
    """`(record, end)` up to the first line that is no record; `end` is a position."""
    end = 0
    with open(path, "rb") as file:
        for line in file:
            end += len(line)
            try:
                record = json.loads(line)
            except ValueError:
                return
            whole = isinstance(record, dict) and "image" in record
            if not whole or not line.endswith(b"\n"):
                return
            yield record, end
