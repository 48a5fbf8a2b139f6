"""The full-text index of a library: captions, a person's words, and names of files."""

import os
import sqlite3
from collections.abc import Iterable

from annotator.library.database import Database


def index_photographs(
    connection: sqlite3.Connection, photographs: Iterable[int]
) -> None:
    """Brings the index up to date, in a transaction.

    Args:
        connection: The transaction's.
        photographs: Their numbers.
    """
    for photograph in photographs:
        path, caption = connection.execute(
            "SELECT path, caption FROM photographs WHERE id = ?", (photograph,)
        ).fetchone()
        words = connection.execute(
            "SELECT words.word FROM judgments JOIN words ON words.id = judgments.word "
            "WHERE photograph = ? AND accepted ORDER BY words.word",
            (photograph,),
        ).fetchall()
        connection.execute("DELETE FROM texts WHERE rowid = ?", (photograph,))
        connection.execute(
            "INSERT INTO texts (rowid, caption, words, path) VALUES (?, ?, ?, ?)",
            (photograph, caption, "; ".join(word for (word,) in words), shown(path)),
        )


def search(database: Database, text: str) -> list[int]:
    """Finds photographs whose texts have all words of a query, or begin so.

    Args:
        database: The library's.
        text: The query. Nothing in it has a meaning but the words.

    Returns:
        Numbers of photographs, best first; none for a query without words.
    """
    # In quotes all is text, and a quote is written twice.
    words = [f'"{word}"*' for word in text.replace('"', " ").replace("\0", " ").split()]
    words = [word for word in words if any(letter.isalnum() for letter in word)]
    if not words:
        return []
    found = database.rows(
        "SELECT rowid FROM texts WHERE texts MATCH ? ORDER BY rank", (" ".join(words),)
    )
    return [number for (number,) in found]


def shown(path: bytes) -> str:
    """A path as text, for people: bytes that are not UTF-8 are replaced."""
    return os.fsencode(path).decode("utf-8", "replace")
