"""Scores of training images by whitened means that were fitted without each of them.

In closed form: an image is taken off the sums of its words, and what it pulled the
covariance towards itself is undone, as in the leave-one-out residual of ridge
regression. Only the mean of all images stays, as with fixed centering.
"""

import dataclasses
from collections.abc import Callable

import numpy as np
import scipy.linalg

from annotator.tagger.whitened_means import PRIOR_IMAGES, Whitening
from annotator.tagger.word_means import NEVER, SetsAlike

_BLOCK = 1024  # rows per matrix product: bounds the memory of a pass
_TINY = 1e-9


@dataclasses.dataclass(frozen=True)
class LeftOut:
    """What the scores of some training images are made of.

    Attributes:
        similarity: Of an image to each word, the word fitted without it, float32
            `[B, W]`; `NEVER` for a word that no other image carries.
        typical: The typical similarity of each word, fitted without the image, float32
            `[B, W]`.
    """

    similarity: np.ndarray
    typical: np.ndarray

    def scores(self, margin: float) -> np.ndarray:
        """The scores, float32 `[B, W]`.

        Args:
            margin: Share of the typical similarity that is taken off.
        """
        scores = self.similarity - np.float32(margin) * self.typical
        return np.where(self.similarity > NEVER / 2, scores, np.float32(NEVER))


def leave_one_out(
    whitening: Whitening,
    vectors: np.ndarray,
    tags: np.ndarray,
    known: np.ndarray | None = None,
    rows: np.ndarray | None = None,
) -> LeftOut:
    """Leaves each of some training images out.

    Args:
        whitening: Metric fitted on the first `whitening.rows` of the vectors.
        vectors: A vector an image, float `[N, d]`; may be a memory map.
        tags: Whether an image carries a word, bool `[N, W]`.
        known: As of `fit_whitened_means`.
        rows: The B images that are left out, ascending; all by default.

    Returns:
        What their scores are made of.
    """
    rows = np.arange(len(vectors)) if rows is None else rows
    lengths = _squared_lengths(whitening, vectors)
    shape = (len(rows), tags.shape[1])
    left_out = LeftOut(np.zeros(shape, np.float32), np.zeros(shape, np.float32))
    groups, knows = np.zeros(tags.shape[1], int), [None]
    weigh: list[Callable] = [lambda block: 1.0]
    if known is not None:
        patterns, groups = np.unique(known, axis=1, return_inverse=True)
        groups, knows = np.ravel(groups), list(patterns.T)
        weigh = [
            SetsAlike.of_known(tags[:, groups == group], known)
            for group in range(len(knows))
        ]
    for group, asked in enumerate(knows):
        columns = np.flatnonzero(groups == group)
        words = _Words(
            whitening, vectors, tags[:, columns], asked, weigh[group], lengths
        )
        for start in range(0, len(rows), _BLOCK):
            block = rows[start : start + _BLOCK]
            place = np.ix_(np.arange(start, start + len(block)), columns)
            similarity, typical = words.left_out(block)
            left_out.similarity[place], left_out.typical[place] = similarity, typical
    return left_out


class _Words:
    """Sums over the images of words that the same images were asked for."""

    def __init__(self, whitening, vectors, tags, asked, weigh, lengths):
        self._vectors, self._tags = vectors, tags
        self._rows = whitening.rows
        self._middle = whitening.mean
        if asked is not None:
            self._middle = _mean(vectors, asked)
            # |z - c|^2 = |z|^2 - 2 z . c + |c|^2, of the other middle c.
            shift = self._middle - whitening.mean
            solved = whitening.solve(shift[:, None])[:, 0]
            along = np.concatenate(
                [(block - whitening.mean) @ solved for _, block in _blocks(vectors)]
            )
            lengths = lengths - 2 * along + shift @ solved
        self._own = np.maximum(lengths, 0.0)
        within = np.arange(len(vectors)) < self._rows
        leverage = np.minimum(self._own / self._rows, 0.999)
        self._kept = 1.0 - np.where(within, leverage, 0.0)  # 1 - leverage
        self._weights = np.zeros(tags.shape, np.float32)
        shape = (tags.shape[1], vectors.shape[1])
        sums, unpulled = np.zeros(shape), np.zeros(shape)
        for start, block in _blocks(vectors):
            part = slice(start, start + len(block))
            self._weights[part] = tags[part] * weigh(part)
            centered = block - self._middle
            sums += self._weights[part].T @ centered
            unpulled += (self._weights[part] / self._kept[part, None]).T @ centered
        self._counts = tags.sum(axis=0).astype(np.float64)
        own = self._own / self._kept
        self._squares = np.square(self._weights).T.astype(np.float64) @ own
        solved = whitening.solve(np.concatenate([sums, unpulled]).T)
        self._solved = solved.astype(np.float32)  # [d, 2 W]
        self._lengths = np.einsum("wd,dw->w", sums, solved[:, : len(sums)])
        self._product = np.einsum("wd,dw->w", unpulled, solved[:, : len(sums)])
        self._typical, self._average = self._typical_of_all()

    def _typical_of_all(self):
        # Of mean vectors: n times as long as the sums would have it.
        total = (self._product - self._squares) * self._counts
        total /= np.maximum(self._counts - 1, 1)
        total /= np.sqrt(np.maximum(self._lengths, _TINY))
        several = (self._counts > 1) & (self._lengths > _TINY)
        average = 0.0
        if several.any():
            average = np.mean(total[several] / self._counts[several])
        return self._shrunk(total, self._counts, several, average), average

    @staticmethod
    def _shrunk(total, counts, several, average):
        typical = np.where(several, total, 0.0) + PRIOR_IMAGES * average
        return typical / (np.where(several, counts, 0.0) + PRIOR_IMAGES)

    def left_out(self, rows):
        """`(similarity, typical)`, `[B, W]` each, of rows without themselves."""
        weight = self._weights[rows].astype(np.float64)
        own, kept = self._own[rows, None], self._kept[rows, None]
        centered = np.float32(self._vectors[rows] - self._middle)
        products = (centered @ self._solved).astype(np.float64)
        along, unpulled = np.split(products, 2, axis=1)
        # Sums without the image: their product with it, and with themselves.
        without = along - weight * own
        squared = self._lengths - 2 * weight * along + np.square(weight) * own
        within = rows[:, None] < self._rows
        # Of the metric that the image did not pull.
        squared += np.where(within, np.square(without) / (self._rows * kept), 0.0)
        others = self._counts - weight
        some = (others > _TINY) & (squared > _TINY)
        length = np.sqrt(np.where(some, squared, 1.0))
        similarity = np.where(some, without / length / kept, NEVER)
        # The other images of its words, each without itself and without this one.
        total = self._product - weight * (unpulled + along / kept)
        total += np.square(weight) * own / kept
        total -= self._squares - np.square(weight) * own / kept
        total *= others / (np.maximum(others - 1, 1) * length)
        several = some & (others > 1 + _TINY)
        typical = self._shrunk(total, others, several, self._average)
        return similarity, np.where(weight > 0, typical, self._typical)


def _squared_lengths(whitening, vectors):
    """`z . z` of each vector, float64 `[N]`."""
    # The metric is shrunk, so that single precision is enough, and twice as fast.
    factor = whitening.factor.astype(np.float32)
    lengths = np.empty(len(vectors))
    for start, block in _blocks(vectors):
        centered = np.float32(block - whitening.mean)
        whitened = scipy.linalg.solve_triangular(
            factor, centered.T, lower=True, overwrite_b=True, check_finite=False
        )
        lengths[start : start + len(block)] = np.square(whitened).sum(axis=0)
    return lengths


def _mean(vectors, chosen):
    total = np.zeros(vectors.shape[1])
    for start, block in _blocks(vectors):
        total += block[chosen[start : start + len(block)]].sum(axis=0, dtype=float)
    return total / max(np.count_nonzero(chosen), 1)


def _blocks(vectors):
    for start in range(0, len(vectors), _BLOCK):
        yield start, vectors[start : start + _BLOCK]
