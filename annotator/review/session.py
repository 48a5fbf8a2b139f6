"""An open library with its live scores: what the page asks for and changes."""

import threading
from collections.abc import Iterable, Iterator, Sequence
from typing import Any

import numpy as np

from annotator.library import texts
from annotator.library.events import Event
from annotator.library.library import Library, Photograph
from annotator.review.live_scores import LiveScores, Shift
from annotator.tagger.taught_words import TaughtWords
from annotator.tagger.teaching_basis import TeachingBasis

_PIECE = 1000  # photographs whose details are looked up at a time


class Session:
    """A library and what its words mean at present.

    Corrections come from the library's events, also those of other processes: each is
    learned once, before anything is answered.

    Args:
        library: The library.
        model: The model that the vectors are of, as it is called in the library.
        basis: What it hands on to be taught.
        top_k: Suggestions per photograph.
        threshold: Lowest score of a suggestion; `None` for no limit.

    Attributes:
        lock: Held while scores are read or changed.
        live: The scores.
    """

    def __init__(
        self,
        library: Library,
        model: str,
        basis: TeachingBasis,
        top_k: int = 5,
        threshold: float | None = None,
    ) -> None:
        self.library = library
        self.model = model
        self.lock = threading.RLock()
        self.live = LiveScores(TaughtWords(basis), top_k, threshold)
        self.vectors = library.vectors(model, basis.dimensions)
        with self.lock:
            self._last_event = library.corrections.last_event()
            for number, word, accepted in library.corrections.judgments():
                self.live.judge(number, word, accepted)
            self.load_vectors()

    def load_vectors(self, numbers: Iterable[int] | None = None) -> None:
        """Takes in photographs that are encoded.

        Args:
            numbers: Their numbers; by default those that it has not yet.
        """
        photographs = self.library.photographs(numbers)
        rows = np.array([p.id for p in photographs if p.encoded_by == self.model], int)
        if numbers is None:
            with self.lock:
                present = set(np.flatnonzero(self.live.present).tolist())
            rows = np.array([row for row in rows if row not in present], int)
        if not len(rows):
            return
        vectors = self.vectors.read()[rows]
        with self.lock:
            self.live.refresh(self.live.put(rows, vectors))

    def sync(self) -> dict[str, Shift]:
        """Learns from events that it has not seen; returns what changed, by word."""
        with self.lock:
            if self.library.corrections.last_event() == self._last_event:
                return {}
            taught: dict[str, None] = {}
            for event in self.library.corrections.events_after(self._last_event):
                for change in event.changes:
                    if change.word is not None:
                        self.live.judge(change.photograph, change.word, change.after)
                        taught[change.word] = None
                self._last_event = event.id
            return self.live.refresh(taught)

    @property
    def last_event(self) -> int:
        """The last event that was learned from."""
        return self._last_event

    def learned(self, event: Event | None) -> dict[str, Any]:
        """Learns from an event just made, and tells what changed.

        Args:
            event: The event; `None` where nothing was to change.

        Returns:
            JSON-ready: `event`, its number or `None`, and `words`: of each word that
            changed the photographs that `gained` and `lost` it as a suggestion.
        """
        shifts = self.sync()
        own = {} if event is None else {change.word for change in event.changes}
        return {
            "event": None if event is None else event.id,
            "last_event": self._last_event,
            "photographs": []
            if event is None
            else sorted({change.photograph for change in event.changes}),
            "words": {
                word: {"gained": shift.gained.tolist(), "lost": shift.lost.tolist()}
                for word, shift in shifts.items()
                if word in own
            },
        }

    def details(self, numbers: Sequence[int]) -> list[dict[str, Any]]:
        """What there is to know of photographs; those that are gone are left out.

        Args:
            numbers: Their numbers.

        Returns:
            JSON-ready, by number as given: `id`, `name`, `width`, `height`, `caption`,
            `caption_by`, `error`, `encoded`, `accepted` and `rejected`, lists of words,
            and `suggested`, pairs of a word and its score, best first.
        """
        self.sync()
        found = {each.id: each for each in self.library.photographs(numbers)}
        judged: dict[int, tuple[list, list]] = {}
        for number, word, accepted in self.library.corrections.judgments(found):
            judged.setdefault(number, ([], []))[not accepted].append(word)
        with self.lock:
            return [
                self._details(found[number], *judged.get(number, ([], [])))
                for number in numbers
                if number in found
            ]

    def all_details(self) -> Iterator[dict[str, Any]]:
        """The `details` of all photographs, looked up in pieces."""
        numbers = [photograph.id for photograph in self.library.photographs()]
        for start in range(0, len(numbers), _PIECE):
            yield from self.details(numbers[start : start + _PIECE])

    def words(self) -> list[dict[str, Any]]:
        """All words with how many photographs have them, JSON-ready.

        Returns:
            For each: `word`, `accepted`, `rejected` and `suggested`, numbers of
            photographs, the last of those that were not judged.
        """
        self.sync()
        with self.lock:
            taught = [self.live.words.taught(word) for word in self.live.words.words]
            counts = self.live.counts()
            own = set(self.live.words.basis.words)
            return [
                {
                    "word": word,
                    "accepted": accepted,
                    "rejected": rejected,
                    "suggested": max(0, int(count)),
                }
                for word, (accepted, rejected), count in zip(
                    self.live.words.words, taught, counts, strict=True
                )
                if accepted or rejected or count or word in own
            ]

    def select(
        self,
        text: str = "",
        word: str | None = None,
        by: str = "",
        sort: str = "name",
        like: int | None = None,
    ) -> tuple[list[Photograph], list[float] | None]:
        """The photographs that the page shows, in order.

        Args:
            text: Words that their texts have, or the words suggested for them.
            word: A word that they have.
            by: Who gave it: `"person"`, `"machine"`, `"rejected"` (the person said no)
                or an empty text for a person or the machine. Without a word,
                `"person"` are those with any judgment, `"machine"` those without.
            sort: `"name"`, `"score"` (of the word), `"uncertain"` (where a judgment
                teaches most) or `"newest"`.
            like: A photograph; those like it come first.

        Returns:
            `(photographs, values)`; `values` is what they are sorted by, if anything.

        Raises:
            ValueError: When `by` or `sort` is unknown.
            KeyError: When a word or photograph is unknown.
        """
        if by not in ("", "person", "machine", "rejected"):
            raise ValueError(f"by={by!r} is none of person, machine, rejected.")
        self.sync()
        photographs = self.library.photographs()
        with self.lock:
            # What teaches most of a word may be a photograph that it is not said of.
            all_teach = sort == "uncertain" and not by
            chosen = self._filtered(text, None if all_teach else word, by)
            if chosen is not None:
                photographs = [each for each in photographs if each.id in chosen]
            keys = self._keys(photographs, word, sort, like)
        if keys is None:
            return photographs, None
        order = np.argsort(-keys, kind="stable")
        order = order[keys[order] > -np.inf]
        return [photographs[row] for row in order], keys[order].tolist()

    def _filtered(self, text, word, by):
        """Numbers of the photographs to show, a set, or `None` for all."""
        chosen = None
        judgments = self.library.corrections.judgments
        if word is not None:
            self.live.words.place(word)
            verdicts: dict[bool, set[int]] = {True: set(), False: set()}
            for number, other, accepted in judgments():
                if other == word:
                    verdicts[accepted].add(number)
            suggested = set(self.live.suggested(word).tolist())
            chosen = {
                "person": verdicts[True],
                "rejected": verdicts[False],
                "machine": suggested,
                "": verdicts[True] | suggested,
            }[by]
        elif by:
            wanted = {
                number
                for number, _, accepted in judgments()
                if accepted or by != "rejected"
            }
            if by == "rejected":
                wanted = {number for number, _, accepted in judgments() if not accepted}
            if by == "machine":
                wanted = {p.id for p in self.library.photographs()} - wanted
            chosen = wanted
        if text.strip():
            found = set(texts.search(self.library.database, text))
            start = text.strip().casefold()
            for each in self.live.words.words:
                if each.casefold().startswith(start):
                    found.update(self.live.suggested(each).tolist())
            chosen = found if chosen is None else chosen & found
        return chosen

    def _keys(self, photographs, word, sort, like):
        """What photographs are sorted by, float `[N]`, largest first, or `None`."""
        rows = np.array([each.id for each in photographs], int)
        if like is not None:
            vectors = self.live.vectors
            if like >= len(vectors) or not self.live.present[like]:
                raise KeyError(like)
            return _at(self.live.similar(vectors[like]), rows, -1.0)
        if sort == "name":
            return None
        if sort == "newest":
            return np.array([each.modified for each in photographs], float)
        if sort == "uncertain":
            return _at(self.live.uncertainty(word), rows, -np.inf)
        if sort == "score" and word is not None:
            return _at(self.live.scores(word), rows, -1e30)
        raise ValueError(
            f"sort={sort!r} is none of name, newest, uncertain or, with a word, score."
        )

    def _details(self, photograph, accepted, rejected):
        return {
            "id": photograph.id,
            "name": texts.shown(photograph.path),
            "width": photograph.width,
            "height": photograph.height,
            "caption": photograph.caption,
            "caption_by": photograph.caption_by,
            "error": photograph.error,
            "encoded": photograph.encoded_by == self.model,
            "accepted": accepted,
            "rejected": rejected,
            "suggested": [
                [word, round(score, 4)]
                for word, score in self.live.suggestions(photograph.id)
            ],
        }


def _at(values, rows, missing):
    """Values at rows, `missing` where there are no such rows."""
    inside = rows < len(values)
    found = np.full(len(rows), missing, float)
    found[inside] = values[rows[inside]]
    return found
