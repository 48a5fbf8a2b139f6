"""The database of a library: opened, brought up to date, changed in transactions."""

import contextlib
import os
import sqlite3
import threading
from collections.abc import Iterator, Sequence
from typing import Any

from annotator.library.migrations import MIGRATIONS

_WAIT_SECONDS = 20.0  # for another process that is writing


class Database:
    """A connection that threads share.

    What was committed is on the disk (write-ahead log, synchronized at each commit):
    neither a kill nor a loss of power takes it away, and other processes may read and
    write the same library.

    Args:
        path: The file; it is made if missing.

    Raises:
        ValueError: When another, later version of this package made the file, or it is
            no database.
    """

    def __init__(self, path: str | os.PathLike) -> None:
        self._lock = threading.RLock()
        self._connection = sqlite3.connect(
            path, timeout=_WAIT_SECONDS, isolation_level=None, check_same_thread=False
        )
        try:
            self._connection.execute("PRAGMA journal_mode = WAL")
            self._connection.execute("PRAGMA synchronous = FULL")
            self._connection.execute("PRAGMA foreign_keys = ON")
            self._migrate(path)
            self.value("SELECT rowid FROM texts LIMIT 1")
        except ValueError:
            self._connection.close()
            raise
        except sqlite3.DatabaseError as error:
            self._connection.close()
            if "no such module" in str(error):
                raise ValueError(
                    "This SQLite has no full-text search (FTS5). Where TensorFlow was "
                    "imported first its own SQLite takes the place: import sqlite3 "
                    "before it."
                ) from error
            raise ValueError(
                f"{path} is not a library that can be opened: {error}. Name another "
                "--library, or put back a copy."
            ) from error

    def close(self) -> None:
        """Closes the connection."""
        with self._lock:
            self._connection.close()

    def rows(self, sql: str, values: Sequence[Any] = ()) -> list[tuple]:
        """Runs a query.

        Args:
            sql: The query, with a `?` for each value.
            values: The values.

        Returns:
            All rows.
        """
        with self._lock:
            return self._connection.execute(sql, values).fetchall()

    def value(self, sql: str, values: Sequence[Any] = ()) -> Any:
        """The first column of a query's first row; `None` without rows."""
        with self._lock:
            row = self._connection.execute(sql, values).fetchone()
            return None if row is None else row[0]

    @contextlib.contextmanager
    def transaction(self, writes: bool = True) -> Iterator[sqlite3.Connection]:
        """A change that is made whole or not at all, in which no other one is made.

        Args:
            writes: Whether anything is written; else all is read as of one moment.

        Yields:
            The connection.
        """
        with self._lock:
            self._connection.execute("BEGIN IMMEDIATE" if writes else "BEGIN")
            try:
                yield self._connection
                self._connection.execute("COMMIT")
            except BaseException:
                if self._connection.in_transaction:  # a full disk has ended it
                    self._connection.execute("ROLLBACK")
                raise

    def _migrate(self, path):
        with self.transaction() as connection:
            (version,) = connection.execute("PRAGMA user_version").fetchone()
            if version > len(MIGRATIONS):
                raise ValueError(
                    f"{path} was made by a later version of annotator (its tables are "
                    f"of version {version}, this one knows {len(MIGRATIONS)}): install "
                    "that version, or name another --library."
                )
            for step in MIGRATIONS[version:]:
                for statement in _statements(step):
                    connection.execute(statement)
            connection.execute(f"PRAGMA user_version = {len(MIGRATIONS)}")


def _statements(script):
    """The statements of a script; `executescript` would commit before each script."""
    statement = ""
    for line in script.splitlines(keepends=True):
        statement += line
        if sqlite3.complete_statement(statement):
            yield statement
            statement = ""
