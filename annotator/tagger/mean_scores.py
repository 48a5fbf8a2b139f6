"""The last layers of the mean-vector tagger, fitted to the vectors of images."""

import keras
import numpy as np

from annotator.tagger.choice.spanned import Spanned
from annotator.tagger.choice.strengths import Strengths, choose_strengths
from annotator.tagger.lift.cooccurrence import MOST_WORDS, Cooccurrence
from annotator.tagger.lift.label_lift import LabelLift
from annotator.tagger.lift.left_out_lift import spread
from annotator.tagger.whitened_means import (
    Covariance,
    Whitening,
    fit_whitened_means,
    linear_scores,
)
from annotator.tagger.word_means import WordMeans
from annotator.tagger.word_scores import WordScores

_BLOCK = 1024  # rows that are added to the means at a time
_MOST_ROWS = 8192  # whose scores tell how far scores are spread


def fit_mean_scores(
    vectors: np.ndarray,
    tags: np.ndarray,
    similarity: str = "whitened",
    shrinkage: float | None = None,
    margin: float | None = None,
    lift: float | None = None,
    whitening_rows: int | None = None,
    known: np.ndarray | None = None,
    seed: int = 0,
) -> tuple[list[keras.layers.Layer], Strengths | None]:
    """Fits the mean vectors of words, and what an image is compared with them by.

    Args:
        vectors: A vector an image, float32 `[N, d]`; may be a memory map.
        tags: Whether an image carries a word, bool `[N, W]`.
        similarity: `"whitened"` (see `fit_whitened_means`), `"l2"` or `"cosine"` (see
            `WordScores`), which know no shrinkage, margin or lift.
        shrinkage: Of the whitening, see `Whitening.fit`; `None` to choose it by the
            training images, see `choose_strengths`.
        margin: Share of a word's typical whitened similarity that is taken off; `None`
            to choose it.
        lift: Strength of `LabelLift`, 0 for none; `None` to choose it.
        whitening_rows: How many of the first vectors decide the whitening; all by
            default.
        known: Whether an image was asked for a word, bool `[N, W]`; `None` if each was
            asked for all.
        seed: As of `choose_strengths`.

    Returns:
        Built layers from `[B, d]` to float32 `[B, W]`, the first of them named
        `scores`, a `LabelLift` the second if there is one; and what was chosen or
        given, `None` for other similarities.

    Raises:
        ValueError: When all vectors are equal, or an argument is out of range.
    """
    if similarity != "whitened":
        means = _means(vectors, tags)
        return [WordScores.from_means(means, similarity, name="scores")], None
    # As exact, and the cheaper the fewer images there are.
    spanned = None
    if len(vectors) < vectors.shape[1]:
        spanned = Spanned.of(vectors, whitening_rows)
    fitted = vectors if spanned is None else spanned.coordinates
    covariance = Covariance.fit(fitted[:whitening_rows])
    strengths = choose_strengths(
        fitted, tags, covariance, known, shrinkage, margin, lift, seed
    )
    whitening = Whitening.of(covariance, strengths.shrinkage)
    kernel, bias = fit_whitened_means(
        _means(fitted, tags), whitening, fitted, tags, strengths.margin, known=known
    )
    if spanned is not None:
        kernel = spanned.turned_back(kernel, vectors).astype(np.float32)
        bias = (bias - spanned.middle @ kernel).astype(np.float32)
    layers: list[keras.layers.Layer] = [linear_scores(kernel, bias)]
    if strengths.lift and tags.shape[1] <= MOST_WORDS:
        layers.append(
            LabelLift.from_fit(
                Cooccurrence(tags, known).lifts(),
                _spread(vectors, kernel, bias, known, seed),
                strengths.lift,
                name="lift",
            )
        )
    return layers, strengths


def unfitted_mean_scores(
    dimensions: int, words: int, similarity: str, lifted: bool
) -> list[keras.layers.Layer]:
    """The layers of `fit_mean_scores` before their weights are known.

    Args:
        dimensions: Length d of a vector.
        words: Number of words W.
        similarity: As of `fit_mean_scores`.
        lifted: Whether there is a `LabelLift`.

    Returns:
        Built layers, of zeros.
    """
    if similarity != "whitened":
        means = WordMeans(range(words), dimensions)
        return [WordScores.from_means(means, similarity, name="scores")]
    layers = [linear_scores(np.zeros((dimensions, words)), np.zeros(words))]
    if lifted:
        layers.append(
            LabelLift.from_fit(np.zeros((words, words)), 1.0, 0.0, name="lift")
        )
    return layers


def _means(vectors, tags):
    means = WordMeans(range(tags.shape[1]), vectors.shape[1])
    for rows in np.array_split(np.arange(len(vectors)), -(-len(vectors) // _BLOCK)):
        means.add(vectors[rows], tags[rows])
    return means


def _spread(vectors, kernel, bias, known, seed):
    """The standard deviation of the scores of training images."""
    rows = np.arange(len(vectors))
    if len(rows) > _MOST_ROWS:
        chosen = np.random.default_rng(seed).choice(rows, _MOST_ROWS, replace=False)
        rows = np.sort(chosen)
    scores = np.concatenate(
        [
            vectors[block] @ kernel + bias
            for block in np.array_split(rows, -(-len(rows) // _BLOCK))
        ]
    )
    # One image alone has no spread; the lift is then as good as none.
    return spread(scores, None if known is None else known[rows]) or 1.0
