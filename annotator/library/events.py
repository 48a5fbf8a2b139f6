"""Events of a library: what changed, written and read in a transaction."""

import dataclasses
import datetime
import json
import sqlite3
from typing import Any, NamedTuple

from annotator.library import texts


class Change(NamedTuple):
    """What an event did to a photograph.

    Attributes:
        photograph: Its number.
        word: The word that was judged; `None` where the caption changed.
        before: Of a word `True` (accepted), `False` (rejected) or `None` (not judged),
            of a caption `[text, by]`.
        after: The same, afterwards.
    """

    photograph: int
    word: str | None
    before: Any
    after: Any


@dataclasses.dataclass(frozen=True)
class Event:
    """Something that a person did.

    Attributes:
        id: Its number; later ones are larger.
        time: UTC, as ISO 8601.
        action: `"accept"`, `"reject"`, `"forget"`, `"caption"`, `"import"`, `"undo"`,
            or `"redo"`, which undoes an undoing.
        undoes: The event that it undoes, if any.
        undone_by: The event that undoes it, if any.
        changes: What changed.
    """

    id: int
    time: str
    action: str
    undoes: int | None
    undone_by: int | None
    changes: tuple[Change, ...]


def apply_changes(
    connection: sqlite3.Connection,
    action: str,
    changes: list[Change],
    undoes: int | None = None,
) -> Event | None:
    """Makes changes, as one event, in a transaction.

    Args:
        connection: The transaction's.
        action: The action of the event.
        changes: What changes.
        undoes: The event that is undone, if any.

    Returns:
        The event; `None` where nothing changes.
    """
    if not changes:
        return None
    time = datetime.datetime.now(datetime.timezone.utc).isoformat(timespec="seconds")
    event = connection.execute(
        "INSERT INTO events (time, action, undoes) VALUES (?, ?, ?)",
        (time, action, undoes),
    ).lastrowid
    assert event is not None  # of an INSERT
    for change in changes:
        word = None if change.word is None else _place(connection, change.word)
        connection.execute(
            "INSERT INTO changes VALUES (?, ?, ?, ?, ?)",
            (
                event,
                change.photograph,
                word,
                json.dumps(change.before),
                json.dumps(change.after),
            ),
        )
        if word is None:
            connection.execute(
                "UPDATE photographs SET caption = ?, caption_by = ? WHERE id = ?",
                (*change.after, change.photograph),
            )
        elif change.after is None:
            connection.execute(
                "DELETE FROM judgments WHERE photograph = ? AND word = ?",
                (change.photograph, word),
            )
        else:
            connection.execute(
                "INSERT OR REPLACE INTO judgments VALUES (?, ?, ?)",
                (change.photograph, word, change.after),
            )
    texts.index_photographs(connection, {change.photograph for change in changes})
    return Event(event, time, action, undoes, None, tuple(changes))


def read_event(connection: sqlite3.Connection, number: int) -> Event | None:
    """An event by its number; `None` where there is none."""
    row = connection.execute(
        "SELECT time, action, undoes, (SELECT id FROM events AS later "
        "WHERE later.undoes = events.id) FROM events WHERE id = ?",
        (number,),
    ).fetchone()
    if row is None:
        return None
    changes = connection.execute(
        "SELECT photograph, words.word, before, after FROM changes "
        "LEFT JOIN words ON words.id = changes.word WHERE event = ?",
        (number,),
    )
    time, action, undoes, undone_by = row
    return Event(
        number,
        time,
        action,
        undoes,
        undone_by,
        tuple(
            Change(photograph, word, json.loads(before), json.loads(after))
            for photograph, word, before, after in changes
        ),
    )


def _place(connection, word):
    connection.execute("INSERT OR IGNORE INTO words (word) VALUES (?)", (word,))
    row = connection.execute("SELECT id FROM words WHERE word = ?", (word,))
    return row.fetchone()[0]


def read_judgment(
    connection: sqlite3.Connection, photograph: int, word: str
) -> bool | None:
    """Whether a word was accepted or rejected for a photograph, or not judged.

    Raises:
        KeyError: When there is no such photograph.
    """
    read_caption(connection, photograph)  # it exists
    row = connection.execute(
        "SELECT accepted FROM judgments JOIN words ON words.id = judgments.word "
        "WHERE photograph = ? AND words.word = ?",
        (photograph, word),
    ).fetchone()
    return None if row is None else bool(row[0])


def read_caption(connection: sqlite3.Connection, photograph: int) -> list[str]:
    """A photograph's caption and who wrote it, `[text, by]`.

    Raises:
        KeyError: When there is no such photograph.
    """
    row = connection.execute(
        "SELECT caption, caption_by FROM photographs WHERE id = ?", (photograph,)
    ).fetchone()
    if row is None:
        raise KeyError(photograph)
    return list(row)


def current_state(connection: sqlite3.Connection, change: Change) -> Any:
    """What a change was about, as it stands: as its `before` and `after`."""
    if change.word is None:
        return read_caption(connection, change.photograph)
    return read_judgment(connection, change.photograph, change.word)
