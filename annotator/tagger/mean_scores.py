"""The last layer of the mean-vector tagger, fitted to the vectors of images."""

import keras
import numpy as np

from annotator.tagger.whitened_means import (
    Whitening,
    fit_whitened_means,
    linear_scores,
)
from annotator.tagger.word_means import WordMeans
from annotator.tagger.word_scores import WordScores

_BLOCK = 1024  # rows that are added to the means at a time


def fit_mean_scores(
    vectors: np.ndarray,
    tags: np.ndarray,
    similarity: str = "whitened",
    shrinkage: float = 1e-3,
    margin: float = 0.7,
    whitening_rows: int | None = None,
    known: np.ndarray | None = None,
) -> keras.layers.Layer:
    """Fits the mean vectors of words, and what an image is compared with them by.

    Args:
        vectors: A vector an image, float32 `[N, d]`; may be a memory map.
        tags: Whether an image carries a word, bool `[N, W]`.
        similarity: `"whitened"` (see `fit_whitened_means`), `"l2"` or `"cosine"` (see
            `WordScores`).
        shrinkage: Of the whitening, see `Whitening.fit`.
        margin: Share of a word's typical whitened similarity that is taken off.
        whitening_rows: How many of the first vectors decide the whitening; all by
            default.
        known: Whether an image was asked for a word, bool `[N, W]`; `None` if each was
            asked for all.

    Returns:
        A built layer named `scores`, from `[B, d]` to float32 `[B, W]`.

    Raises:
        ValueError: When all vectors are equal, or an argument is out of range.
    """
    means = WordMeans(range(tags.shape[1]), vectors.shape[1])
    for rows in np.array_split(np.arange(len(vectors)), -(-len(vectors) // _BLOCK)):
        means.add(vectors[rows], tags[rows])
    if similarity != "whitened":
        return WordScores.from_means(means, similarity, name="scores")
    whitening = Whitening.fit(vectors[:whitening_rows], shrinkage)
    return linear_scores(
        *fit_whitened_means(means, whitening, vectors, tags, margin, known=known)
    )


def unfitted_mean_scores(
    dimensions: int, words: int, similarity: str
) -> keras.layers.Layer:
    """The layer of `fit_mean_scores` before its weights are known.

    Args:
        dimensions: Length d of a vector.
        words: Number of words W.
        similarity: As of `fit_mean_scores`.

    Returns:
        A built layer named `scores`, of zeros.
    """
    if similarity == "whitened":
        return linear_scores(np.zeros((dimensions, words)), np.zeros(words))
    return WordScores.from_means(
        WordMeans(range(words), dimensions), similarity, name="scores"
    )
