"""Mean vectors compared in the metric of the training set's covariance, calibrated.

Nearest means in L2 take every direction of the vector space alike, and favour words
whose mean lies in the middle of the data. Here the metric is the inverse covariance
(linear discriminant analysis: one mean per word, one covariance for all), and each
word's score is put on one scale: the logarithm of how much likelier an image with the
word is to lie where this one lies than an image without it.
"""

import dataclasses

import keras
import numpy as np
import scipy.linalg

from annotator.tagger.word_scores import NEVER

_BLOCK = 1024  # rows per matrix product: bounds the memory of a pass


@dataclasses.dataclass(frozen=True)
class Metric:
    """The inverse of a shrunk covariance.

    `S = C + shrinkage * trace(C) * I`, with C the covariance of the fitted vectors.

    Attributes:
        mean: float64 `[d]`.
        factor: float32 `[d, d]`, lower Cholesky factor of S.
        rows: Number of vectors the covariance was taken from.
    """

    mean: np.ndarray
    factor: np.ndarray
    rows: int

    @classmethod
    def fit(cls, vectors, shrinkage=1e-3):
        """Fits mean and covariance in one pass.

        Args:
            vectors: float `[N, d]`; may be a memory map.
            shrinkage: Positive; larger means nearer to plain L2.

        Raises:
            ValueError: If all vectors are equal, or `shrinkage` is not positive.
        """
        if shrinkage <= 0:
            raise ValueError(f"shrinkage must be positive, got {shrinkage}.")
        mean = sum(block.sum(axis=0, dtype=np.float64) for block in _blocks(vectors))
        mean /= len(vectors)
        covariance = np.zeros((len(mean), len(mean)), np.float32)
        for block in _blocks(vectors):
            centred = (block - mean).astype(np.float32)
            covariance += centred.T @ centred
        covariance /= len(vectors)
        trace = float(np.trace(covariance))
        if trace <= 0:
            raise ValueError("All vectors are equal: they tell no words apart.")
        covariance[np.diag_indices_from(covariance)] += shrinkage * trace
        factor = scipy.linalg.cholesky(covariance, lower=True, overwrite_a=True)
        return cls(mean, factor, len(vectors))

    def whiten(self, vectors):
        """Vectors in which this metric is L2: float32 `[B, d]`."""
        centred = (vectors - self.mean).astype(np.float32)
        return scipy.linalg.solve_triangular(self.factor, centred.T, lower=True).T


def fit_discriminant(means, metric, vectors, tags, prior_images=3, least=0.3):
    """Linear scores of words, calibrated on left-out similarities.

    With `d = (x - mean)' S^-1 (mean_w - mean)`, the score of word w is `D z - D^2 / 2`,
    where z is d standardised over the images that lack w, and D is the mean of z over
    the images that carry w: the log-likelihood ratio of two normal distributions of
    unit variance. A training image helps to make its own word's mean and the
    covariance, so b, s and D are taken from its similarity with itself left out of
    both, in closed form (the leave-one-out residual of ridge regression).

    Args:
        means: `WordMeans` of `vectors` and `tags`.
        metric: `Metric` fitted on the first `metric.rows` of the vectors; later ones
            (added images) were not part of it.
        vectors: float `[N, d]`; may be a memory map.
        tags: bool `[N, W]`.
        prior_images: D is shrunk to its average over words, as by this many images.
        least: Smallest D.

    Returns:
        `(kernel, bias)`, float32 `[d, W]` and `[W]`: scores are `x @ kernel + bias`,
        with `NEVER` as the bias of words without images.
    """
    whitened = metric.whiten(means.means)  # [W, d]
    whitened[means.counts == 0] = 0.0
    statistics = np.zeros((4, len(means.words)))  # negatives: n, d, d^2; positives: d
    for start, block in enumerate(_blocks(vectors)):
        start *= _BLOCK
        carries = tags[start : start + len(block)]
        left_out = _left_out(metric, whitened, means.counts, block, carries, start)
        lacking = np.where(carries, 0.0, left_out)
        statistics += [
            (~carries).sum(axis=0),
            lacking.sum(axis=0),
            np.square(lacking).sum(axis=0),
            np.where(carries, left_out, 0.0).sum(axis=0),
        ]
    lack, total, squares, carried = statistics
    centre = total / np.maximum(lack, 1)
    spread = np.sqrt(np.maximum(squares / np.maximum(lack, 1) - centre**2, 1e-12))
    # A word of one image has no mean without it: the average over words stands in.
    several = np.where(means.counts > 1, means.counts, 0)
    separation = (carried / np.maximum(means.counts, 1) - centre) / spread
    typical = separation[several > 0].mean() if several.any() else 1.0
    separation = (several * separation + prior_images * typical) / (
        several + prior_images
    )
    separation = np.maximum(separation, least)
    slope = separation / spread
    directions = scipy.linalg.solve_triangular(
        metric.factor, whitened.T, lower=True, trans="T"
    )  # S^-1 (mean_w - mean), [d, W]
    kernel = directions * slope
    bias = -metric.mean @ kernel - slope * centre - separation**2 / 2
    known = means.counts > 0
    kernel = np.where(known, kernel, 0.0)
    bias = np.where(known, bias, NEVER)
    return kernel.astype(np.float32), bias.astype(np.float32)


def discriminant_layer(kernel, bias, name="scores"):
    """The scores as a frozen `keras.layers.Dense` on vectors `[B, d]`, in float32."""
    layer = keras.layers.Dense(
        kernel.shape[1], dtype="float32", trainable=False, name=name
    )
    layer.build((None, kernel.shape[0]))
    layer.set_weights([kernel, bias])
    return layer


def _left_out(metric, whitened_means, counts, block, carries, start):
    """Similarities `[B, W]` of images to means and covariance made without them."""
    whitened = metric.whiten(block)
    similarity = whitened @ whitened_means.T
    leverage = np.square(whitened).sum(axis=1) / metric.rows
    # Images beyond the metric's rows were not part of the covariance.
    within = (np.arange(start, start + len(block)) < metric.rows)[:, None]
    own = np.where(carries, leverage[:, None] * metric.rows, 0.0)
    scale = np.where(within, 1.0 - leverage[:, None], 1.0)
    others = np.maximum(counts - carries, 1)
    return (similarity * counts - own) / (scale * others)


def _blocks(vectors):
    return (vectors[at : at + _BLOCK] for at in range(0, len(vectors), _BLOCK))
