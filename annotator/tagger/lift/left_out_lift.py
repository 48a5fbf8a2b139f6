"""What words lend to each other, counted without the image that gains by it."""

import numpy as np

from annotator.tagger.lift.cooccurrence import (
    LARGEST_SCORE,
    Cooccurrence,
    log_lift,
    word_shares,
)

_BLOCK = 1024  # rows whose shares are kept at a time


def spread(scores: np.ndarray, known: np.ndarray | None = None) -> float:
    """The standard deviation of scores.

    Args:
        scores: Float `[N, W]`. Those of words that each image carries, or none, are
            left out.
        known: Which scores count, bool `[N, W]`; all by default.

    Returns:
        The deviation; 0 where there is nothing to take it from.
    """
    counts = np.abs(scores) < LARGEST_SCORE
    if known is not None:
        counts &= known
    return float(scores[counts].std()) if counts.any() else 0.0


def gains(
    scores: np.ndarray,
    deviation: float,
    tags: np.ndarray,
    known: np.ndarray | None,
    rows: np.ndarray,
) -> np.ndarray:
    """What `LabelLift` of strength 1 and deviation 1 adds to scores.

    The words of an image are counted in the other images: two rare words that only this
    one has would tell each other what nobody else told them. How many images were asked
    for two words stays as it is.

    Args:
        scores: Of B images that were left out, float `[B, W]`.
        deviation: Standard deviation of scores.
        tags: Of all images, bool `[N, W]`.
        known: As of `Cooccurrence`.
        rows: Which of the images the B are, int `[B]`.

    Returns:
        float32 `[B, W]`.
    """
    counted = Cooccurrence(tags, known)
    lifts = counted.lifts()
    gained = np.empty(scores.shape, np.float32)
    everywhere = np.ones(tags.shape[1])
    for start in range(0, len(rows), _BLOCK):
        part = slice(start, start + _BLOCK)
        shares = word_shares(scores[part], deviation)
        sums = shares @ lifts
        for row, share, own in zip(rows[part], shares, sums, strict=True):
            words = np.flatnonzero(tags[row])
            if not len(words):
                continue
            asked = everywhere if known is None else known[row].astype(float)
            carried = tags[row].astype(float)
            # What its words lend: they are one image fewer.
            lent = log_lift(
                counted.both[words] - carried,
                counted.given[words] - asked,
                counted.given[:, words].T - carried,
                counted.asked[words],
            )
            own += share[words] @ (lent - lifts[words])
            # What its words borrow from the others, of which it carries none.
            borrowed = log_lift(
                counted.both[:, words],
                counted.given[:, words],
                counted.given[words].T - asked[:, None],
                counted.asked[:, words],
            )
            change = borrowed - lifts[:, words]
            change[words] = 0.0
            own[words] += share @ change
        gained[part] = np.where(np.abs(scores[part]) < LARGEST_SCORE, sums, 0.0)
    return gained
