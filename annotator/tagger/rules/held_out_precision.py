"""Thresholds that keep a promise: of a word that is given, so many are right."""

import dataclasses
import os
from collections.abc import Mapping

import numpy as np
import scipy.special

from annotator import files, loading

CONFIDENCE = 0.95
_LEAST_IMAGES = 5
_GROWTH = 1.2  # from a candidate to the next


@dataclasses.dataclass(frozen=True, eq=False)
class HeldOutPrecision:
    """How often words were right among the held-out images that they fit best.

    The candidates for a word's threshold are fixed before anything is seen: so high
    that exactly 5, 6, 7, 8, 10, 12, 14, ... held-out images lie above. Given the score
    of the next image below, those above are independent draws of all images with a
    higher score. So the number of right ones among them is binomial, and whether the
    precision above a candidate is at least p is an exact test (Clopper and Pearson).

    The candidates are tested from the highest on that could pass, each by what is left
    of the error that is allowed: half of it is the first one's, the rest is shared by
    the candidates with 2, 4 and 8 times as many images, and a candidate that passes
    hands its share on to the next. That all which pass are right then holds with the
    confidence that is asked for, though there are many candidates; the lowest of them
    is the threshold.

    Attributes:
        images: Held-out images above each of G candidates, int `[G]`.
        scores: The score that they lie above, float32 `[W, G]`; infinite where a word
            has no such candidate.
        right: How many of them have the word, int `[W, G]`.

    Source: Clopper and Pearson, "The use of confidence or fiducial limits", 1934;
    Wiens, "A fixed sequence Bonferroni procedure", 2003.
    """

    images: np.ndarray
    scores: np.ndarray
    right: np.ndarray

    @classmethod
    def fit(
        cls, scores: np.ndarray, tags: np.ndarray, known: np.ndarray | None = None
    ) -> "HeldOutPrecision":
        """Counts on images that the tagger did not learn from.

        Args:
            scores: Their scores, float `[N, W]`.
            tags: Whether an image has a word, bool `[N, W]`.
            known: Whether an image was asked for a word, bool `[N, W]`; `None` if each
                was asked for all.

        Returns:
            The counts.
        """
        images = _candidates(len(scores) - 1)
        shape = (scores.shape[1], len(images))
        above = np.full(shape, np.inf, np.float32)
        right = np.zeros(shape, np.int32)
        for word, own in enumerate(np.float32(scores).T):
            asked = slice(None) if known is None else known[:, word]
            own, carried = own[asked], tags[asked, word]
            order = np.argsort(-own, kind="stable")
            own, hits = own[order], np.cumsum(carried[order])
            fit = images[images < len(own)]
            # Of equal scores not all would lie above.
            distinct = own[fit - 1] > own[fit]
            columns = np.flatnonzero(distinct)
            above[word, columns] = own[fit[distinct]]
            right[word, columns] = hits[fit[distinct] - 1]
        return cls(images, above, right)

    @classmethod
    def load(cls, path: str | os.PathLike) -> "HeldOutPrecision":
        """Reads what `save` wrote.

        Raises:
            ValueError: When the file is damaged; the message names it.
        """
        return cls.from_compact(loading.arrays(path))

    def save(self, path: str | os.PathLike) -> None:
        """Writes an `.npz` file, which must be named so."""
        with files.atomic_path(path) as temporary:
            np.savez(temporary, **self.compact())

    def compact(self) -> dict[str, np.ndarray]:
        """What `from_compact` reads: integers, so that no file of weights rounds it."""
        return {
            "images": self.images,
            "scores": self.scores.view(np.int32),
            "right": self.right,
        }

    @classmethod
    def from_compact(cls, arrays: Mapping[str, np.ndarray]) -> "HeldOutPrecision":
        """Makes the counts of what `compact` returned."""
        scores = arrays["scores"].view(np.float32)
        return cls(arrays["images"], scores, arrays["right"])

    def thresholds(self, precision: float) -> np.ndarray:
        """The threshold of each word.

        Args:
            precision: How many of a word's images are to be right, 0 to 1; for each
                word this holds with a probability of `CONFIDENCE`.

        Returns:
            float32 `[W]`: a word is given where its score is above; infinite for words
            that cannot be promised.

        Raises:
            ValueError: When it is not between 0 and 1.
        """
        if not 0 < precision < 1:
            raise ValueError(f"precision must lie between 0 and 1, got {precision}.")
        # How probable so many right ones would be if the precision were just missed.
        chance = scipy.special.bdtrc(self.right - 1, self.images, precision)
        chance = np.where(np.isfinite(self.scores), chance, 1.0)
        found = np.full(len(self.scores), np.inf, np.float32)
        left = np.zeros(len(self.scores))
        for column, share in enumerate(_shares(self.images, precision)):
            left += share
            passed = (chance[:, column] <= left) & (left > 0)
            found = np.where(passed, self.scores[:, column], found)
            left = np.where(passed, left, 0.0)
        return found


def promised(
    held_out: HeldOutPrecision | None,
    precision: float,
    flag: str,
    model: str | os.PathLike,
) -> np.ndarray:
    """The thresholds of a model's words, where there are any.

    Args:
        held_out: Its counts, if it has some.
        precision: As of `HeldOutPrecision.thresholds`.
        flag: The flag that asks for it, for messages.
        model: Where the model is, for messages.

    Returns:
        As of `HeldOutPrecision.thresholds`.

    Raises:
        ValueError: When the model has no counts, or no word can be promised.
    """
    if held_out is None:
        raise ValueError(
            f"{flag}={precision} needs a tagger that was tried on held-out images, and "
            f"{model} has no counts of such: train it again in another --workdir, on a "
            "data set with a validation split."
        )
    thresholds = held_out.thresholds(precision)
    if not np.isfinite(thresholds).any():
        raise ValueError(
            f"{flag}={precision}: no word of {model} was right so often on enough "
            "held-out images. Lower it."
        )
    return thresholds


def _candidates(most: int) -> np.ndarray:
    """5, 6, 7, 8, 10, 12, ..., `most` at most, int `[G]`."""
    numbers, number = [], _LEAST_IMAGES
    while number <= most:
        numbers.append(number)
        number = max(number + 1, int(number * _GROWTH))
    return np.array(numbers, int)


def _shares(images: np.ndarray, precision: float) -> np.ndarray:
    """What error is allowed to each candidate at first, float `[G]`."""
    error = 1 - CONFIDENCE
    shares = np.zeros(len(images))
    first = np.log(error / 2) / np.log(precision)
    for times, share in ((1, 1 / 2), (2, 1 / 6), (4, 1 / 6), (8, 1 / 6)):
        column = np.searchsorted(images, times * first)
        if column < len(images):
            shares[column] += share * error
    return shares
