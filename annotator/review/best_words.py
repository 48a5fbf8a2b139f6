"""The best words of photographs, kept true while the scores of single words change."""

import numpy as np


class BestWords:
    """The words with the highest scores in each row.

    Beside them stands a bound that no other word's score of the row is above. So a
    changed word asks for all scores of a row only where it falls below the bound; in
    all other rows it stays, comes in for the lowest, or stays out.

    Args:
        most: Words per row k, at most.
        least: Lowest score of such a word.
    """

    def __init__(self, most: int, least: float) -> None:
        self.most = most
        self.least = least
        self._places = np.zeros((0, most), np.int32)
        self._scores = np.zeros((0, most), np.float32)
        self._bound = np.zeros(0, np.float32)

    @property
    def places(self) -> np.ndarray:
        """The places of each row's words, in no order, int32 `[rows, k]`; or -1."""
        return self._places

    def grow(self, rows: int) -> None:
        """Makes room for so many rows, the added ones without words."""
        added = ((0, rows - len(self._places)), (0, 0))
        self._places = np.pad(self._places, added, constant_values=-1)
        self._scores = np.pad(self._scores, added, constant_values=-np.inf)
        self._bound = np.pad(self._bound, added[0], constant_values=-np.inf)

    def choose(self, rows: np.ndarray, scores: np.ndarray) -> None:
        """Chooses the words of rows by the scores of all words.

        Args:
            rows: int `[B]`.
            scores: float32 `[B, W]`.
        """
        count = min(self.most, scores.shape[1])
        places = np.tile(np.arange(scores.shape[1]), (len(rows), 1))
        if count < scores.shape[1]:
            places = np.argpartition(-scores, count, axis=1)[:, : count + 1]
        best = np.take_along_axis(scores, places, axis=1)
        kept = best[:, :count] >= self.least
        self._places[rows] = -1
        self._scores[rows] = -np.inf
        self._places[rows, :count] = np.where(kept, places[:, :count], -1)
        self._scores[rows, :count] = np.where(kept, best[:, :count], -np.inf)
        bound = best[:, count] if count < scores.shape[1] else -np.inf
        self._bound[rows] = np.maximum(bound, self.least)

    def change(self, place: int, scores: np.ndarray) -> np.ndarray:
        """Takes in the new scores of a word.

        Args:
            place: The word's place.
            scores: float32 `[R]`, of the first R rows; below `least` where the word is
                not to be.

        Returns:
            The rows that are to be chosen again, int `[n]`.
        """
        best, bound = self._scores[: len(scores)], self._bound[: len(scores)]
        rows, columns = np.nonzero(self._places[: len(scores)] == place)
        lowest = best.min(axis=1)
        lowest[rows] = np.inf  # it is among them
        entering = np.flatnonzero((scores > lowest) & (scores >= self.least))
        others = np.maximum(bound, scores)
        others[rows] = bound[rows]
        others[entering] = np.maximum(bound[entering], lowest[entering])
        self._bound[: len(scores)] = others
        best[rows, columns] = scores[rows]
        replaced = best[entering].argmin(axis=1)
        best[entering, replaced] = scores[entering]
        self._places[entering, replaced] = place
        stays = (scores[rows] >= bound[rows]) & (scores[rows] >= self.least)
        return rows[~stays]
