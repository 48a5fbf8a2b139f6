"""Scores of predicted tags: averages over words, and over images.

The protocol of the image annotation field since Duygulu et al. (ECCV 2002), as in
Makadia et al. (JEC, ECCV 2008) and Guillaumin et al. (TagProp, ICCV 2009).
"""

from collections.abc import Sequence

import numpy as np
from sklearn.metrics import average_precision_score


def score_tags(
    predicted: np.ndarray, true: np.ndarray, words: Sequence[str]
) -> dict[str, float | int]:
    """Precision, recall, F1 and N+ over words; precision and recall over images.

    A word that no image of the split carries is left out of the averages over words;
    a word that is never predicted has precision 0. An image that carries no word is
    left out of the averages over images; an image for which nothing was predicted
    has precision 0.

    Args:
        predicted: bool `[N, W]`, True where the word was given to the image.
        true: bool `[N, W]`, True where the image carries the word.
        words: The W words.

    Returns:
        A dictionary, all scores as fractions:

        - `precision`, `recall`: means over the words of the split;
        - `f1`: the harmonic mean *of these two means* (not a mean of F1 values);
        - `n_plus`: number of words with a recall above 0;
        - `words`: number of words that were averaged over;
        - `image_precision`, `image_recall`: means over images;
        - `images`: N.

    Raises:
        ValueError: When the shapes or types do not fit.
    """
    predicted, true = _check(predicted, true, words)
    correct, given, actual = _counts(predicted, true, axis=0)
    occurs = actual > 0
    precision = _mean(_ratio(correct, given)[occurs])
    recall = _mean(_ratio(correct, actual)[occurs])
    image_correct, image_given, image_actual = _counts(predicted, true, axis=1)
    has_words = image_actual > 0
    return {
        "precision": precision,
        "recall": recall,
        "f1": float(_f1(precision, recall)),
        "n_plus": int(np.count_nonzero(correct)),
        "words": int(np.count_nonzero(occurs)),
        "image_precision": _mean(_ratio(image_correct, image_given)[has_words]),
        "image_recall": _mean(_ratio(image_correct, image_actual)[has_words]),
        "images": len(true),
    }


def tag_intervals(
    predicted: np.ndarray,
    true: np.ndarray,
    words: Sequence[str],
    samples: int = 1000,
    seed: int = 0,
) -> dict[str, list[float]]:
    """95 % intervals of the scores over words, from resampled images.

    They are the score, plus and minus 1.96 deviations of the resampled ones. Not their
    percentiles: a sample lacks a third of the images, and with them words that few
    images carry, so it scores lower than all images do (of N+ by a tenth).

    Args:
        predicted: bool `[N, W]`, as for `score_tags`.
        true: bool `[N, W]`, as for `score_tags`.
        words: The W words.
        samples: How often the images are resampled.
        seed: Seed of the resampling.

    Returns:
        `{score: [low, high]}` of `precision`, `recall`, `f1` and `n_plus`, as
        fractions; of N+ as a count.

    Raises:
        ValueError: When the shapes or types do not fit.
    """
    scores = score_tags(predicted, true, words)
    images = len(true)
    rng = np.random.default_rng(seed)
    # How often each image is drawn: [samples, images].
    draws = rng.multinomial(images, np.full(images, 1 / images), samples)
    correct, given, actual = (
        np.rint(draws @ cells.astype(np.float64))  # [samples, W]
        for cells in (np.logical_and(predicted, true), predicted, true)
    )
    occurring = np.maximum(np.count_nonzero(actual, axis=1), 1)
    # Of words that a sample lacks, both are 0.
    precisions = (_ratio(correct, given) * (actual > 0)).sum(axis=1) / occurring
    recalls = _ratio(correct, actual).sum(axis=1) / occurring
    resampled = {
        "precision": precisions,
        "recall": recalls,
        "f1": _f1(precisions, recalls),
        "n_plus": np.count_nonzero(correct, axis=1),
    }
    return {
        name: [float(scores[name] + side * 1.96 * values.std()) for side in (-1, 1)]
        for name, values in resampled.items()
    }


def mean_average_precision(
    scores: np.ndarray, true: np.ndarray, known: np.ndarray | None = None
) -> float:
    """How well each word ranks the images: its average precision, averaged over words.

    Args:
        scores: float `[N, W]`, the higher the likelier.
        true: bool `[N, W]`, True where the image carries the word.
        known: bool `[N, W]`, which images are ranked for a word; all by default.

    Returns:
        A fraction: the mean over the words that an image carries, 0 without any.
    """
    precisions = average_precisions(scores, true, known)
    occurs = ~np.isnan(precisions)
    return float(np.mean(precisions[occurs])) if occurs.any() else 0.0


def average_precisions(
    scores: np.ndarray, true: np.ndarray, known: np.ndarray | None = None
) -> np.ndarray:
    """How well each word ranks the images.

    Args:
        scores: As for `mean_average_precision`.
        true: As for `mean_average_precision`.
        known: As for `mean_average_precision`.

    Returns:
        float64 `[W]`, fractions; NaN for a word that no image carries.
    """
    known = np.ones_like(true) if known is None else known
    return np.array(
        [
            average_precision_score(true[rows, word], scores[rows, word])
            if true[rows, word].any()
            else np.nan
            for word, rows in enumerate(known.T)
        ]
    )


def image_f1(predicted: np.ndarray, true: np.ndarray) -> np.ndarray:
    """How right the tags of each image are.

    Args:
        predicted: bool `[N, W]`, True where the word was given to the image.
        true: bool `[N, W]`, True where the image carries the word.

    Returns:
        float64 `[N]`, the harmonic mean of the precision and the recall of its words;
        NaN for an image that carries none.
    """
    correct, given, actual = _counts(predicted, true, axis=1)
    return np.where(actual > 0, 2 * correct / np.maximum(given + actual, 1), np.nan)


def per_word_table(
    predicted: np.ndarray, true: np.ndarray, words: Sequence[str]
) -> list[dict[str, str | int | float]]:
    """One row a word, in the order of `words`, for a CSV file.

    Args:
        predicted: bool `[N, W]`, as for `score_tags`.
        true: bool `[N, W]`, as for `score_tags`.
        words: The W words.

    Returns:
        W dictionaries with `word`, the counts `predicted`, `correct` and `true`, and
        the fractions `precision`, `recall` and `f1`. Words that the split lacks are
        there too, with `true` 0 and recall 0.

    Raises:
        ValueError: When the shapes or types do not fit.
    """
    predicted, true = _check(predicted, true, words)
    correct, given, actual = _counts(predicted, true, axis=0)
    precision, recall = _ratio(correct, given), _ratio(correct, actual)
    f1 = _f1(precision, recall)
    return [
        {
            "word": word,
            "predicted": int(given[column]),
            "correct": int(correct[column]),
            "true": int(actual[column]),
            "precision": float(precision[column]),
            "recall": float(recall[column]),
            "f1": float(f1[column]),
        }
        for column, word in enumerate(words)
    ]


def _check(predicted, true, words):
    predicted, true = np.asarray(predicted), np.asarray(true)
    for name, array in (("predicted", predicted), ("true", true)):
        if array.dtype != bool:
            raise ValueError(
                f"`{name}` must be bool [images, words], not {array.dtype}: scores "
                "have to be cut to tags first (top k or a threshold)."
            )
    shape = (len(true), len(words))
    if predicted.shape != shape or true.shape != shape:
        raise ValueError(
            f"`predicted` {predicted.shape} and `true` {true.shape} must both be "
            f"[images, words], with {len(words)} words."
        )
    return predicted, true


def _counts(predicted, true, axis):
    correct = np.count_nonzero(predicted & true, axis=axis)
    return (
        correct,
        np.count_nonzero(predicted, axis=axis),
        np.count_nonzero(true, axis=axis),
    )


def _ratio(numerator, denominator):
    """The quotient, and 0 where the denominator is 0."""
    return numerator / np.maximum(denominator, 1)


def _f1(precision, recall):
    total = np.asarray(precision) + recall
    return 2 * np.asarray(precision) * recall / np.where(total > 0, total, 1)


def _mean(values):
    return float(values.mean()) if values.size else 0.0
