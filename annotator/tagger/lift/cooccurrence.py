"""How much likelier a word makes another one, counted in the training images.

Words of an image are not independent: where there is a runway there is a plane. What
the scores say of the likeliest words is turned into what these make likelier.
"""

import numpy as np

# Of the softmax over scores, as share of their deviation.
TEMPERATURE = 0.15
# Scores beyond it belong to words that each image carries, or none.
LARGEST_SCORE = 1e3
# Its weights are W * W numbers.
MOST_WORDS = 4096


class Cooccurrence:
    """How many images carry each two words, and how many were asked for both.

    Args:
        tags: Whether an image carries a word, bool `[N, W]`.
        known: Whether an image was asked for a word, bool `[N, W]`; `None` if each was
            asked for all.

    Attributes:
        both: Images that carry both words, float64 `[W, W]`.
        given: Images that carry the word of the row and were asked for that of the
            column, float64 `[W, W]`.
        asked: Images that were asked for both, float64 `[W, W]`.
    """

    def __init__(self, tags: np.ndarray, known: np.ndarray | None = None) -> None:
        carries = tags.astype(np.float32)  # whole numbers: sums are exact below 2^24
        asked = np.ones_like(carries) if known is None else known.astype(np.float32)
        self.both = (carries.T @ carries).astype(np.float64)
        self.given = (carries.T @ asked).astype(np.float64)
        self.asked = (asked.T @ asked).astype(np.float64)

    def lifts(self) -> np.ndarray:
        """What each word lends to each other one, float64 `[W, W]`, see `log_lift`."""
        return log_lift(self.both, self.given, self.given.T, self.asked)


def log_lift(
    both: np.ndarray, one: np.ndarray, other: np.ndarray, asked: np.ndarray
) -> np.ndarray:
    """`log(1 + p(w | v) / p(w)) - log 2`.

    It is 0 for words that are independent, or of which no image was asked for both,
    and at least `-log 2`.

    Args:
        both: Images that carry v and w, float of any shape.
        one: Those that carry v, among the images that were asked for both.
        other: Those that carry w, among the same.
        asked: The number of these images.

    Returns:
        float64 of the same shape.
    """
    expected = one * other
    some = expected > 0
    ratio = np.where(some, both * asked / np.where(some, expected, 1.0), 1.0)
    return np.log1p(ratio) - np.log(2.0)


def word_shares(scores: np.ndarray, deviation: float) -> np.ndarray:
    """How likely each word is the one that an image shows: a softmax over its scores.

    Args:
        scores: Float `[N, W]`.
        deviation: Standard deviation of scores.

    Returns:
        float64 `[N, W]`; 0 for words that each image carries, or none.
    """
    counts = np.abs(scores) < LARGEST_SCORE
    sharp = np.where(counts, scores, -np.inf) / (TEMPERATURE * deviation)
    largest = sharp.max(axis=1, keepdims=True)
    shares = np.exp(sharp - np.where(np.isfinite(largest), largest, 0.0))
    return shares / np.maximum(shares.sum(axis=1, keepdims=True), 1e-12)
