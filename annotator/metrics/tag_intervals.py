"""Intervals of the scores of tags, by resampling the images."""

import numpy as np

# Of the average precision, which takes a sort of the images for each word.
_RANKED_SAMPLES = 200


def tag_intervals(
    predicted: np.ndarray,
    true: np.ndarray,
    scores: np.ndarray,
    known: np.ndarray | None = None,
    *,
    samples: int = 1000,
    confidence: float = 0.95,
    seed: int = 0,
) -> dict[str, list[float]]:
    """Between which values the scores of tags would lie on other images like these.

    The images are drawn again with replacement (the bootstrap). A word that is rare
    misses in some draws, which moves the means over words; so the scores of the draws
    are moved together until their mean is the score itself.

    Args:
        predicted: bool `[N, W]`, as for `score_tags`.
        true: bool `[N, W]`, as for `score_tags`.
        scores: float `[N, W]`, as for `mean_average_precision`.
        known: bool `[N, W]`, as for `mean_average_precision`.
        samples: How often the images are drawn.
        confidence: Share of the draws that an interval covers.
        seed: Seed of the draws.

    Returns:
        `[low, high]`, fractions, of `precision`, `recall`, `f1`, `image_precision`,
        `image_recall` and `mean_average_precision`.
    """
    images = len(true)
    rng = np.random.default_rng(seed)
    # How often each image is drawn: [samples, images]; the first draw is all of them.
    draws = np.concatenate(
        [
            np.ones((1, images)),
            rng.multinomial(images, np.full(images, 1 / images), samples),
        ]
    ).astype(np.float32)
    correct = draws @ (predicted & true).astype(np.float32)
    given = draws @ predicted.astype(np.float32)
    actual = draws @ true.astype(np.float32)
    occurs = actual > 0
    precision = _mean(correct / np.maximum(given, 1), occurs)
    recall = _mean(correct / np.maximum(actual, 1), occurs)
    hits, image_given, image_actual = (
        np.count_nonzero(x, axis=1) for x in (predicted & true, predicted, true)
    )
    weights = draws * (image_actual > 0)
    total = np.maximum(weights.sum(1), 1)
    ranked = draws[: _RANKED_SAMPLES + 1]
    known = np.ones_like(true) if known is None else known
    average_precisions = [
        _average_precisions(ranked[:, rows], scores[rows, word], true[rows, word])
        for word, rows in enumerate(known.T)
        if true[rows, word].any()
    ]
    values = {
        "precision": precision,
        "recall": recall,
        "f1": 2 * precision * recall / np.maximum(precision + recall, 1e-12),
        "image_precision": weights @ (hits / np.maximum(image_given, 1)) / total,
        "image_recall": weights @ (hits / np.maximum(image_actual, 1)) / total,
    }
    if average_precisions:
        found = np.array(average_precisions)
        values["mean_average_precision"] = _mean(found.T, ~np.isnan(found.T))
    tails = [50 * (1 - confidence), 50 * (1 + confidence)]
    return {
        name: [
            float(bound)
            for bound in np.percentile(drawn[1:], tails) + drawn[0] - drawn[1:].mean()
        ]
        for name, drawn in values.items()
    }


def _average_precisions(draws, scores, true):
    """The average precision `[samples]` of a word; NaN where no draw has it."""
    order = np.argsort(-scores, kind="stable")
    # Images of one score are of one rank: their last one counts for all.
    last = np.append(np.diff(scores[order]) != 0, True)
    weights = draws[:, order]
    right = np.cumsum(weights * true[order], axis=1)[:, last]
    seen = np.cumsum(weights, axis=1)[:, last]
    gained = np.diff(right, axis=1, prepend=0)
    total = right[:, -1]
    found = np.sum(gained * right / np.maximum(seen, 1), axis=1)
    return np.where(total > 0, found / np.maximum(total, 1), np.nan)


def _mean(values, occurs):
    """The mean of each row where `occurs`, 0 where nothing does."""
    sums = np.sum(np.where(occurs, values, 0.0), axis=1)
    return sums / np.maximum(np.count_nonzero(occurs, axis=1), 1)
