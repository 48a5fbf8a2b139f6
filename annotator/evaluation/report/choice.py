"""Which images of a split are shown: by rank, never by hand."""

import dataclasses

import numpy as np


@dataclasses.dataclass(frozen=True)
class Choice:
    """Rows of the images that are shown.

    Attributes:
        best: int `[B]`, the best first.
        middling: int `[M]`, those around the median, the better first.
        worst: int `[W]`, the worst first.
    """

    best: np.ndarray
    middling: np.ndarray
    worst: np.ndarray

    @property
    def rows(self) -> np.ndarray:
        """All of them, int `[B + M + W]`, in ascending order."""
        return np.sort(np.concatenate([self.best, self.middling, self.worst]))


def choose(scores: np.ndarray, wanted: int) -> Choice:
    """Chooses the best, the middling and the worst images.

    A third of them each, the best having one more where that does not come out even,
    and the worst the next. No image is chosen twice; those that are equally good stand
    in the order of the split.

    Args:
        scores: float `[N]`, the higher the better; NaN for an image that has none,
            which is not chosen.
        wanted: How many are chosen; all, where there are fewer.

    Returns:
        Their rows.
    """
    scores = np.asarray(scores, float)
    ranked = np.argsort(-scores, kind="stable")[: np.count_nonzero(~np.isnan(scores))]
    count = min(wanted, len(ranked))
    best, worst = (count + 2) // 3, (count + 1) // 3
    middling = count - best - worst
    start = (len(ranked) - middling) // 2
    # Never among the best or the worst, of which there may be one more.
    start = min(max(start, best), len(ranked) - worst - middling)
    return Choice(
        ranked[:best],
        ranked[start : start + middling],
        ranked[len(ranked) - worst :][::-1],
    )
