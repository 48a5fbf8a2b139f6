"""What a person says of photographs: judged words, captions, and taking it back."""

import json
from collections.abc import Iterable

from annotator.library.database import Database
from annotator.library.events import (
    Change,
    Event,
    apply_changes,
    current_state,
    read_caption,
    read_event,
    read_judgment,
)

MOST_LETTERS = 200  # of a word
_MOST_CAPTION = 20_000


class Corrections:
    """The corrections of a library. Each is one transaction, and an event.

    Args:
        database: The library's.
    """

    def __init__(self, database: Database) -> None:
        self._database = database

    def judge(
        self, photographs: Iterable[int], word: str, accepted: bool | None
    ) -> Event | None:
        """Accepts or rejects a word of photographs, or takes such a judgment back.

        Args:
            photographs: Their numbers.
            word: The word, which may be a new one.
            accepted: `True`, `False`, or `None` for no judgment.

        Returns:
            The event; `None` where nothing changes.

        Raises:
            ValueError: When the word is none.
            KeyError: When there is no such photograph.
        """
        word = checked_word(word)
        action = {True: "accept", False: "reject", None: "forget"}[accepted]
        return self.judge_all(
            [(number, word, accepted) for number in dict.fromkeys(photographs)], action
        )

    def judge_all(
        self, judgments: Iterable[tuple[int, str, bool | None]], action: str
    ) -> Event | None:
        """Makes any number of judgments in one event.

        Args:
            judgments: Triples of a photograph, a word and a judgment.
            action: The action of the event.

        Returns:
            The event; `None` where nothing changes.

        Raises:
            ValueError: When a word is none.
            KeyError: When there is no such photograph.
        """
        with self._database.transaction() as connection:
            changes = []
            for number, word, after in judgments:
                word = checked_word(word)
                before = read_judgment(connection, number, word)
                if before is not after:
                    changes.append(Change(number, word, before, after))
            return apply_changes(connection, action, changes)

    def write_caption(self, photograph: int, text: str) -> Event | None:
        """Writes a person's caption of a photograph.

        Args:
            photograph: Its number.
            text: The caption; white space around it is dropped.

        Returns:
            The event; `None` where nothing changes.

        Raises:
            ValueError: When it is too long.
            KeyError: When there is no such photograph.
        """
        text = " ".join(text.split())
        if len(text) > _MOST_CAPTION:
            raise ValueError(
                f"A caption has {_MOST_CAPTION} letters at most, this one {len(text)}."
            )
        with self._database.transaction() as connection:
            before = read_caption(connection, photograph)
            after = [text, "person" if text else ""]
            changes = [Change(photograph, None, before, after)]
            return apply_changes(
                connection, "caption", changes if before != after else []
            )

    def undo(self, event: int | None = None) -> Event:
        """Undoes an event; undoing that again does it once more.

        What was changed again since stays as it is.

        Args:
            event: Its number; by default the last that is not undone and no undoing.

        Returns:
            The event of undoing.

        Raises:
            ValueError: When there is nothing to undo.
        """
        with self._database.transaction() as connection:
            if event is None:
                row = connection.execute(
                    "SELECT max(id) FROM events WHERE action != 'undo' AND id NOT IN "
                    "(SELECT undoes FROM events WHERE undoes IS NOT NULL)"
                ).fetchone()
                event = row[0]
                if event is None:
                    raise ValueError("There is nothing to undo.")
            undone = read_event(connection, event)
            if undone is None:
                raise ValueError(f"There is no event {event}.")
            if undone.undone_by is not None:
                raise ValueError(f"The event {event} is undone already.")
            changes = [
                Change(change.photograph, change.word, change.after, change.before)
                for change in undone.changes
                if current_state(connection, change) == change.after
            ]
            action = "redo" if undone.action == "undo" else "undo"
            made = apply_changes(connection, action, changes, event)
            if made is None:
                raise ValueError(
                    f"All that the event {event} did was changed again since."
                )
            return made

    def history(self, most: int = 100, before: int | None = None) -> list[Event]:
        """The last events, latest first.

        Args:
            most: How many.
            before: Only events before this one.
        """
        last = 2**62 if before is None else before
        numbers = self._database.rows(
            "SELECT id FROM events WHERE id < ? ORDER BY id DESC LIMIT ?", (last, most)
        )
        return self._events(number for (number,) in numbers)

    def events_after(self, event: int) -> list[Event]:
        """The events after one, in order; also those of other processes."""
        numbers = self._database.rows(
            "SELECT id FROM events WHERE id > ? ORDER BY id", (event,)
        )
        return self._events(number for (number,) in numbers)

    def last_event(self) -> int:
        """The number of the last event, 0 where there is none."""
        return self._database.value("SELECT max(id) FROM events") or 0

    def words(self) -> list[str]:
        """All words that were ever judged, in the order in which they came."""
        return [w for (w,) in self._database.rows("SELECT word FROM words ORDER BY id")]

    def judgments(
        self, photographs: Iterable[int] | None = None
    ) -> list[tuple[int, str, bool]]:
        """Judgments as they stand: `(photograph, word, accepted)`, in order.

        Args:
            photographs: Those of these; by default all.
        """
        sql = (
            "SELECT photograph, words.word, accepted FROM judgments "
            "JOIN words ON words.id = judgments.word"
        )
        if photographs is not None:
            # JSON, as the number of `?` is limited.
            sql += " WHERE photograph IN (SELECT value FROM json_each(?))"
            rows = self._database.rows(
                f"{sql} ORDER BY 1, 2", (json.dumps(list(photographs)),)
            )
        else:
            rows = self._database.rows(f"{sql} ORDER BY 1, 2")
        return [(number, word, bool(accepted)) for number, word, accepted in rows]

    def _events(self, numbers: Iterable[int]) -> list[Event]:
        with self._database.transaction(writes=False) as connection:
            found = [read_event(connection, number) for number in numbers]
        return [event for event in found if event is not None]


def checked_word(word: str) -> str:
    """A word as it is kept: white space is one blank.

    Raises:
        ValueError: When nothing is left of it, or it is too long.
    """
    word = " ".join(word.replace("\0", " ").split())
    if not word:
        raise ValueError("A word must have at least one letter.")
    if len(word) > MOST_LETTERS:
        raise ValueError(
            f"A word has {MOST_LETTERS} letters at most, this one {len(word)}."
        )
    return word
