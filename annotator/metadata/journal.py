"""The journal: what runs wrote beside images, so that it can be taken back."""

import contextlib
import dataclasses
import hashlib
import os
import pathlib
import sqlite3
import zlib
from collections.abc import Iterator
from datetime import datetime, timezone

_VARIABLE = "ANNOTATOR_STATE"
_NAME = "sidecars.sqlite"
_WAIT_SECONDS = 60.0  # for another process that writes
_TABLES = """
CREATE TABLE IF NOT EXISTS runs (
    run TEXT PRIMARY KEY, time TEXT NOT NULL, output TEXT NOT NULL,
    undone INTEGER NOT NULL DEFAULT 0
);
CREATE TABLE IF NOT EXISTS sidecars (
    run TEXT NOT NULL, path BLOB NOT NULL, name BLOB NOT NULL, image BLOB NOT NULL,
    before BLOB, after BLOB NOT NULL,
    PRIMARY KEY (run, path)
) WITHOUT ROWID;
CREATE INDEX IF NOT EXISTS sidecars_after ON sidecars (after, name);
"""


@dataclasses.dataclass(frozen=True)
class Entry:
    """A sidecar that a run wrote.

    Attributes:
        path: Its absolute path.
        before: What it said before the run; `None` where it did not exist.
        after: Digest of what the run wrote last, see `digest`.
    """

    path: str
    before: bytes | None
    after: bytes


class Journal:
    """A SQLite file that notes each sidecar before it is written.

    Several processes may write it at a time.

    Args:
        folder: Where it is; by default `state_folder()`.

    Raises:
        OSError: When it cannot be opened or written; the message names it.
    """

    def __init__(self, folder: str | os.PathLike[str] | None = None) -> None:
        self.path = pathlib.Path(folder or state_folder(), _NAME)
        self.path.parent.mkdir(parents=True, exist_ok=True)
        with self._errors():
            self._database = sqlite3.connect(
                self.path, timeout=_WAIT_SECONDS, isolation_level=None
            )
            # What is noted survives a kill; a write to the disk for each is too slow.
            self._database.execute("PRAGMA journal_mode = WAL")
            self._database.execute("PRAGMA synchronous = NORMAL")
            self._database.executescript(_TABLES)

    def __enter__(self) -> "Journal":
        return self

    def __exit__(self, *error: object) -> None:
        self.close()

    def close(self) -> None:
        """Closes the file."""
        self._database.close()

    def begin(self, run: str, output: str | os.PathLike[str]) -> None:
        """Notes a run, if it is not noted yet.

        Args:
            run: Its identity.
            output: Its file of records.
        """
        time = datetime.now(timezone.utc).isoformat(timespec="seconds")
        with self._errors():
            self._database.execute(
                "INSERT OR IGNORE INTO runs (run, time, output) VALUES (?, ?, ?)",
                (run, time, ascii(os.path.abspath(output))),
            )

    def note(
        self,
        run: str,
        path: str,
        image: str,
        before: bytes | None,
        after: bytes,
    ) -> None:
        """Notes that a run is about to write a sidecar.

        Args:
            run: The run.
            path: The sidecar's path.
            image: The image's path.
            before: What the sidecar says; `None` where it does not exist. What counts
                is what it said when the run wrote it first.
            after: What the run is going to write.
        """
        with self._errors():
            self._database.execute(
                "INSERT INTO sidecars VALUES (?, ?, ?, ?, ?, ?) "
                "ON CONFLICT (run, path) DO UPDATE SET after = excluded.after",
                (
                    run,
                    _bytes(path),
                    os.fsencode(os.path.basename(path)),
                    _bytes(image),
                    None if before is None else zlib.compress(before),
                    digest(after),
                ),
            )

    def image_of(self, run: str, path: str) -> str | None:
        """The image whose sidecar a run has written at a path, if it has."""
        rows = self._rows(
            "SELECT image FROM sidecars WHERE run = ? AND path = ?", run, _bytes(path)
        )
        return next((os.fsdecode(image) for (image,) in rows), None)

    def wrote(self, path: str, content: bytes) -> bool:
        """Whether a run wrote this content to a file of this name, in any folder."""
        rows = self._rows(
            "SELECT 1 FROM sidecars WHERE after = ? AND name = ? LIMIT 1",
            digest(content),
            os.fsencode(os.path.basename(path)),
        )
        return any(rows)

    def entries(self, run: str) -> Iterator[Entry]:
        """The sidecars that a run wrote."""
        paths = self._rows("SELECT path FROM sidecars WHERE run = ?", run)
        for (path,) in list(paths):  # its contents one at a time
            ((before, after),) = self._rows(
                "SELECT before, after FROM sidecars WHERE run = ? AND path = ?",
                run,
                path,
            )
            before = None if before is None else zlib.decompress(before)
            yield Entry(os.fsdecode(path), before, after)

    def runs(self, undone: bool | None = None) -> list[str]:
        """The runs, the last one first.

        Args:
            undone: Only those that were taken back, or were not.
        """
        rows = self._rows("SELECT run, undone FROM runs ORDER BY time DESC, rowid DESC")
        return [run for run, flag in rows if undone in (None, bool(flag))]

    def mark_undone(self, run: str) -> None:
        """Notes that a run was taken back."""
        with self._errors():
            self._database.execute("UPDATE runs SET undone = 1 WHERE run = ?", (run,))

    def _rows(self, query, *values):
        with self._errors():
            return self._database.execute(query, values).fetchall()

    @contextlib.contextmanager
    def _errors(self):
        try:
            yield
        except sqlite3.Error as error:
            raise OSError(
                f"{self.path}, where runs note what they write, fails: {error}. Make "
                f"room, or name another folder by ${_VARIABLE}."
            ) from error


def state_folder() -> str:
    """`$ANNOTATOR_STATE`, or `annotator` in `$XDG_STATE_HOME` or `~/.local/state`."""
    named = os.environ.get(_VARIABLE)
    base = os.environ.get("XDG_STATE_HOME") or os.path.join("~", ".local", "state")
    return os.path.expanduser(named or os.path.join(base, "annotator"))


def digest(content: bytes) -> bytes:
    """SHA-256 of what a sidecar says."""
    return hashlib.sha256(content).digest()


def _bytes(path):
    return os.fsencode(os.path.abspath(path))
