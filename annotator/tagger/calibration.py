"""Calibration: from a word's score to the probability that the word is right.

A score ranks words and images; how sure it is, it does not say. On images that the
tagger did not learn from, a logistic curve says it: one slope for all words, and an
offset for each of them, since a rare word is wrong more often at the same score.
"""

from typing import Any

import keras
import numpy as np
import tensorflow as tf
from keras import ops

from annotator.tagger.word_scores import NEVER

# Scores beyond it belong to words that each image carries, or none: they tell nothing.
_LARGEST_SCORE = 1e3
_ROUNDS = 20  # of the spread of the words' offsets
_STEPS = 50  # of Newton's method, for each of these
_TINY = 1e-9


def fit_calibration(
    scores: np.ndarray, tags: np.ndarray, known: np.ndarray | None = None
) -> tuple[np.ndarray, np.ndarray]:
    """Fits `probability = sigmoid(slope * score + offset of the word)`.

    The slope is never negative, so that a word is the more probable the higher its
    score is. Offsets are drawn towards their mean, the more the fewer images a word
    has: they are taken as draws from a normal distribution whose variance is found
    from the data (empirical Bayes). A word of which nothing is known gets the mean.

    Args:
        scores: Scores of images that the tagger did not learn from, float `[N, W]`.
        tags: Whether an image carries a word, bool `[N, W]`.
        known: Where `tags` says so: false where nobody looked for the word, bool
            `[N, W]`; by default it is known everywhere.

    Returns:
        `(slope, offsets)`: float32 `[]` and `[W]`.

    Raises:
        ValueError: When the shapes differ, or nothing is known.

    Source: Platt, "Probabilistic outputs for support vector machines and comparisons to
    regularized likelihood methods", 1999, whose targets are taken: short of 0 and 1.
    """
    scores, tags = np.asarray(scores, np.float64), np.asarray(tags, bool)
    known = np.ones(tags.shape, bool) if known is None else np.asarray(known, bool)
    if scores.ndim != 2 or not scores.shape == tags.shape == known.shape:
        raise ValueError(
            "Scores, tags and what is known must be of one shape [N, W], got "
            f"{scores.shape}, {tags.shape} and {known.shape}."
        )
    known = known & (np.abs(scores) < _LARGEST_SCORE)
    if not known.any():
        raise ValueError("No score has a tag that is known: nothing to calibrate by.")
    mean, deviation = scores[known].mean(), max(scores[known].std(), _TINY)
    standard = np.where(known, (scores - mean) / deviation, 0.0)
    positive, negative = np.sum(known & tags), np.sum(known & ~tags)
    targets = np.where(tags, (positive + 1) / (positive + 2), 1 / (negative + 2))
    curve = _fit(standard, targets, known.astype(np.float64), steep=True)
    if curve[0] < 0:  # the best of the curves that do not fall is a flat one
        curve = _fit(standard, targets, known.astype(np.float64), steep=False)
    slope = curve[0] / deviation
    offsets = curve[1] + curve[2:] - slope * mean
    return np.asarray(slope, np.float32), offsets.astype(np.float32)


def _fit(scores, targets, weights, steep):
    """The curve `[2 + W]`: slope, mean offset, and each word's deviation from it."""
    curve, variance = np.zeros(2 + scores.shape[1]), 1.0
    for _ in range(_ROUNDS):
        before = variance
        curve, uncertainty = _newton(scores, targets, weights, variance, curve, steep)
        variance = max(np.mean(np.square(curve[2:]) + uncertainty), 1e-4)
        if abs(variance - before) < 1e-3 * before:
            break
    return curve


def _newton(scores, targets, weights, variance, curve, steep):
    """The most probable curve, and the variance `[W]` that is left to each offset."""
    value = _loss(scores, targets, weights, variance, curve)
    for _ in range(_STEPS):
        probabilities = _sigmoid(_logits(scores, curve))
        error = weights * (targets - probabilities)
        curvature = weights * probabilities * (1 - probabilities)
        of_words = curvature.sum(axis=0) + 1 / variance
        slopes = (curvature * scores).sum(axis=0)
        # All words' rows and columns but two are diagonal: these are eliminated.
        gradient = np.array([np.sum(error * scores), error.sum()])
        gradient_of_words = error.sum(axis=0) - curve[2:] / variance
        border = np.stack([slopes, curvature.sum(axis=0)])
        matrix = np.array(
            [
                [np.sum(curvature * np.square(scores)), slopes.sum()],
                [slopes.sum(), curvature.sum()],
            ]
        )
        matrix -= (border / of_words) @ border.T
        right = gradient - (border / of_words) @ gradient_of_words
        if not steep:
            matrix[0], matrix[:, 0], matrix[0, 0], right[0] = 0.0, 0.0, 1.0, 0.0
        first = np.linalg.solve(matrix + _TINY * np.eye(2), right)
        rest = (gradient_of_words - first @ border) / of_words
        step, before = np.concatenate([first, rest]), value
        for _ in range(30):  # a full step may overshoot
            value = _loss(scores, targets, weights, variance, curve + step)
            if value <= before:
                break
            step /= 2
        else:
            return curve, 1 / of_words
        curve = curve + step
        if before - value <= _TINY * (1 + abs(before)):
            break
    return curve, 1 / of_words


def _logits(scores, curve):
    return curve[0] * scores + curve[1] + curve[2:]


def _loss(scores, targets, weights, variance, curve):
    logits = _logits(scores, curve)
    cross_entropy = np.logaddexp(0, logits) - targets * logits
    return np.sum(weights * cross_entropy) + np.square(curve[2:]).sum() / variance / 2


def _sigmoid(logits):
    return 0.5 * (1 + np.tanh(logits / 2))  # without overflow


@keras.saving.register_keras_serializable(package="annotator")
class CalibratedProbabilities(keras.layers.Layer):
    """Probabilities that words are right, by a fitted calibration.

    Args:
        words: Number of words W.

    Call arguments:
        scores: A score a word, float32 `[batch, W]`.

    Output shape:
        float32 `[batch, W]`, 0 to 1; 0 for a word that never had an image.
    """

    def __init__(self, words: int, **kwargs: Any) -> None:
        super().__init__(**{**kwargs, "dtype": "float32", "trainable": False})
        self.words = words

    @classmethod
    def from_fit(
        cls, slope: np.ndarray, offsets: np.ndarray, **kwargs: Any
    ) -> "CalibratedProbabilities":
        """Builds the layer of a fitted calibration.

        Args:
            slope: From `fit_calibration`, float `[]`.
            offsets: From `fit_calibration`, float `[W]`.
            **kwargs: Arguments of the base layer.

        Returns:
            The built layer.
        """
        layer = cls(len(offsets), **kwargs)
        layer.build((None, len(offsets)))
        layer.set_weights([slope, offsets])
        return layer

    def build(self, input_shape: tuple) -> None:
        self.slope = self.add_weight(shape=(), name="slope")
        self.offsets = self.add_weight(shape=(self.words,), name="offsets")

    def call(self, scores: tf.Tensor) -> tf.Tensor:
        probabilities = ops.sigmoid(self.slope * scores + self.offsets)
        return ops.where(scores > NEVER / 2, probabilities, 0.0)

    def scores_at(self, probability: float) -> np.ndarray:
        """The score of each word above which it is more probable than that.

        Args:
            probability: Between 0 and 1.

        Returns:
            float32 `[W]`.
        """
        missing = np.log(probability / (1 - probability)) - self.offsets.numpy()
        slope = max(float(self.slope.numpy()), _TINY)
        return np.float32(missing / slope)

    def compute_output_shape(self, input_shape: tuple) -> tuple:
        return (input_shape[0], self.words)

    def get_config(self) -> dict[str, Any]:
        return {**super().get_config(), "words": self.words}
