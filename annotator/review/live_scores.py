"""The scores of all words for all photographs, kept true while words are taught."""

from collections.abc import Iterable
from typing import NamedTuple

import numpy as np

from annotator.review.best_words import BestWords
from annotator.tagger.taught_words import TaughtWords
from annotator.tagger.word_means import NEVER

_BLOCK = 4096  # rows whose best words are looked for at a time


class Shift(NamedTuple):
    """What a correction changed for a word.

    Attributes:
        gained: Photographs to which the word is suggested since, ascending.
        lost: Photographs to which it is not suggested any more, ascending.
    """

    gained: np.ndarray
    lost: np.ndarray


class LiveScores:
    """Scores and suggestions; a row is the number of a photograph.

    Suggested are a photograph's best words that were not rejected for it. A corrected
    word costs one product of all vectors with its kernel, and the choice among all
    words only where it was one of the best and fell, see `BestWords`.

    Args:
        words: The words that are taught.
        top_k: Suggestions per photograph, at most.
        threshold: Lowest score of a suggestion; `None` for no limit.
    """

    def __init__(
        self, words: TaughtWords, top_k: int = 5, threshold: float | None = None
    ) -> None:
        self.words = words
        self.top_k = top_k
        self._best = BestWords(top_k, NEVER / 2 if threshold is None else threshold)
        self._judged: dict[int, dict[int, bool]] = {}  # by row, by place
        self._judged_rows: dict[int, dict[int, bool]] = {}  # the same, by place, by row
        self._rows = 0
        # In single precision, as that is what products are fast in.
        self._vectors = np.zeros((0, words.basis.dimensions), np.float32)
        self._present = np.zeros(0, bool)
        self._scores = np.zeros((len(words.words), 0), np.float32)
        # What other words add, where they add anything: of the tagger's words.
        self._lifts = np.zeros((len(words.basis.lifts), 0), np.float16)
        # Room for words: those that do not exist yet are never suggested.
        self._kernel, self._bias = words.linear()

    @property
    def present(self) -> np.ndarray:
        """Whether a row has a vector, bool `[rows]`."""
        return self._present[: self._rows]

    @property
    def vectors(self) -> np.ndarray:
        """float32 `[rows, p]`; zeros where there is none."""
        return self._vectors[: self._rows]

    def put(self, rows: np.ndarray, vectors: np.ndarray) -> set[str]:
        """Takes photographs in, or takes them in anew.

        Args:
            rows: int `[B]`.
            vectors: float16 `[B, p]`.

        Returns:
            Words whose judged images these are: they are to be `refresh`ed.
        """
        self._grow(int(max(rows, default=-1)) + 1)
        taught = set()
        for index in np.flatnonzero([row in self._judged for row in rows.tolist()]):
            row, vector = int(rows[index]), vectors[index : index + 1]
            for place, accepted in self._judged[row].items():
                word = self.words.words[place]
                if self._present[row]:
                    old = self._vectors[row : row + 1].astype(np.float16)
                    self.words.remove(word, old, accepted)
                self.words.add(word, vector, accepted)
                taught.add(word)
        for start in range(0, len(rows), _BLOCK):
            block = rows[start : start + _BLOCK]
            vector = vectors[start : start + _BLOCK].astype(np.float32)
            self._vectors[block], self._present[block] = vector, True
            scores, lifts = self._scored(vector)
            self._lifts[:, block] = lifts.T
            self._scores[: len(self._bias), block] = scores.T
            self._choose(block, scores)
        return taught

    def judge(self, row: int, word: str, accepted: bool | None) -> None:
        """Notes a judgment; the word is to be `refresh`ed.

        Args:
            row: A photograph, which may have no vector yet.
            word: The word, which may be a new one.
            accepted: `True`, `False`, or `None` for no judgment.
        """
        place = self.words.add_word(word)
        judged = self._judged.setdefault(row, {})
        before = judged.pop(place, None)
        self._judged_rows.setdefault(place, {}).pop(row, None)
        if accepted is not None:
            judged[place] = self._judged_rows[place][row] = accepted
        if row >= self._rows or not self._present[row]:
            return
        vector = self._vectors[row : row + 1].astype(np.float16)  # as it was
        if before is not None:
            self.words.remove(word, vector, before)
        if accepted is not None:
            self.words.add(word, vector, accepted)

    def refresh(self, words: Iterable[str]) -> dict[str, Shift]:
        """Scores all photographs again for the words that were taught.

        Args:
            words: The words.

        Returns:
            From word to what changed.
        """
        shifts = {}
        self._add_words()
        for word in words:
            place = self.words.place(word)
            kernel, bias = self.words.linear([place])
            self._kernel[:, place], self._bias[place] = kernel[:, 0], bias[0]
            scores = self._scores[place, : self._rows]
            np.matmul(self.vectors, kernel[:, 0], out=scores)
            scores += bias[0]
            if place < len(self._lifts):
                scores += self._lifts[place, : self._rows]
            before = self._suggested(place)
            possible = np.where(self.present, scores, NEVER)
            possible[self._rows_judged(place, (False,))] = NEVER
            fallen = self._best.change(place, possible)
            for start in range(0, len(fallen), _BLOCK):
                block = fallen[start : start + _BLOCK]
                self._choose(block, self._scores[:, block].T.copy())
            after = self._suggested(place)
            shifts[word] = Shift(
                np.flatnonzero(after & ~before), np.flatnonzero(before & ~after)
            )
        return shifts

    def suggestions(self, row: int) -> list[tuple[str, float]]:
        """The suggested words of a photograph that were not judged, best first.

        Args:
            row: The photograph.

        Returns:
            Pairs of a word and its score; none where there is no vector.
        """
        if row >= self._rows or not self._present[row]:
            return []
        judged = self._judged.get(row, {})
        best = self._best.places[row].tolist()
        places = [p for p in best if p >= 0 and p not in judged]
        places.sort(key=lambda place: -self._scores[place, row])
        return [(self.words.words[p], float(self._scores[p, row])) for p in places]

    def suggested(self, word: str) -> np.ndarray:
        """Photographs to which a word is suggested and that were not judged for it."""
        place = self.words.place(word)
        suggested = self._suggested(place)
        suggested[self._rows_judged(place)] = False
        return np.flatnonzero(suggested)

    def counts(self) -> np.ndarray:
        """To how many photographs each word is suggested, judged or not, int `[W]`."""
        best = self._best.places[: self._rows][self.present]
        return np.bincount(best[best >= 0], minlength=len(self.words.words))

    def scores(self, word: str) -> np.ndarray:
        """The scores of a word, float32 `[rows]`."""
        self._add_words()
        return self._scores[self.words.place(word), : self._rows]

    def uncertainty(self, word: str | None = None) -> np.ndarray:
        """How much a judgment would teach: the nearer a score to 0, the more.

        At 0 an image is a little less like a word than the word's own images are.

        Args:
            word: The word; by default the nearest of each photograph's suggestions.

        Returns:
            float32 `[rows]`, 0 at most; minus infinity where there is nothing to judge.
        """
        if word is not None:
            distances = np.abs(self.scores(word))
            distances[self._rows_judged(self.words.place(word))] = np.inf
            return np.where(self.present, -distances, -np.inf)
        best = self._best.places[: self._rows]
        rows = np.arange(self._rows)[:, None]
        distances = np.abs(self._scores[best, rows])
        distances = np.where(best >= 0, distances, np.inf)
        for row, judged in self._judged.items():
            if row < self._rows:
                distances[row, np.isin(best[row], list(judged))] = np.inf
        return -distances.min(axis=1, initial=np.inf)

    def best(self, vector: np.ndarray) -> list[tuple[str, float]]:
        """The words that are suggested for an image that is not kept, best first.

        Args:
            vector: float16 `[p]`.

        Returns:
            Pairs of a word and its score.
        """
        self._add_words()
        scores = self._scored(np.float32(vector[None]))[0][0]
        places = np.argsort(-scores, kind="stable")[: self.top_k].tolist()
        return [
            (self.words.words[place], float(scores[place]))
            for place in places
            if scores[place] >= self._best.least
        ]

    def similar(self, vector: np.ndarray) -> np.ndarray:
        """The cosine of each photograph with a vector `[p]`, float32 `[rows]`."""
        lengths = np.linalg.norm(self.vectors, axis=1) * np.linalg.norm(vector)
        return (self.vectors @ np.float32(vector)) / np.maximum(lengths, 1e-12)

    def _scored(self, vectors):
        """Scores `[B, W]`, and what other words add to those of the tagger's words."""
        scores = vectors @ self._kernel + self._bias
        # Rounded as they are kept, so that scoring again changes nothing.
        lifts = np.zeros((len(vectors), 0), np.float16)
        if len(self._lifts):
            lifts = np.float16(self.words.lifts(vectors))
            scores[:, : lifts.shape[1]] += lifts
        return scores, lifts

    def _suggested(self, place):
        return (self._best.places[: self._rows] == place).any(axis=1)

    def _rows_judged(self, place, verdicts=(True, False)):
        judged = self._judged_rows.get(place, {})
        return [r for r, said in judged.items() if r < self._rows and said in verdicts]

    def _choose(self, rows, scores):
        """Looks for the best words of rows again; `scores` of all words are changed."""
        for index in np.flatnonzero([row in self._judged for row in rows.tolist()]):
            for place, accepted in self._judged[int(rows[index])].items():
                if not accepted:
                    scores[index, place] = NEVER
        self._best.choose(rows, scores)

    def _add_words(self):
        missing = len(self.words.words) - len(self._bias)
        if missing > 0:
            missing = max(missing, len(self._bias) // 4, 16)  # all is copied
            self._kernel = np.pad(self._kernel, ((0, 0), (0, missing)))
            self._bias = np.pad(self._bias, (0, missing), constant_values=NEVER)
            self._scores = np.pad(
                self._scores, ((0, missing), (0, 0)), constant_values=NEVER
            )

    def _grow(self, rows):
        """Makes room, twice as much as there was, so that it is rarely copied."""
        self._add_words()
        self._rows = max(self._rows, rows)
        missing = max(rows, min(2 * len(self._present), rows + 100_000), 64) - len(
            self._present
        )
        if rows <= len(self._present):
            return
        self._vectors = np.pad(self._vectors, ((0, missing), (0, 0)))
        self._present = np.pad(self._present, (0, missing))
        self._scores = np.pad(
            self._scores, ((0, 0), (0, missing)), constant_values=NEVER
        )
        self._lifts = np.pad(self._lifts, ((0, 0), (0, missing)))
        self._best.grow(len(self._present))
