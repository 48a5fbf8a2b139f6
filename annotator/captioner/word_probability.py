"""Calibration of captions: from a search's score to how often words of people are said.

How sure a captioner was of its words ranks captions, but it is no probability that
means something to a reader. On images that it did not learn from, a logistic curve
makes it one.
"""

import keras
import numpy as np
import tensorflow as tf

from annotator.captioner.vocabulary import PAD

_SUREST = -1e-6  # log probability beyond which rounding decides on the logit
_STEPS = 50  # of Newton's method
_TINY = 1e-9


@keras.saving.register_keras_serializable(package="annotator")
class WordProbability:
    """The probability that a word of a caption is one that people use of the image.

    It is `sigmoid(slope * logit(p) + offset)`, where p is the geometric mean of the
    probabilities that the captioner gave the caption's words and its end.
    `fit_word_probability` finds the two numbers.

    Args:
        slope: 0 or more, so that a captioner that is surer is not believed less.
        offset: Any number.

    Call arguments:
        mean_log_probs: As of `mean_log_probs`, float32, of any shape.

    Output shape:
        float32, the same shape: from 0 to 1, and 0 where there is no caption.

    Raises:
        ValueError: When the slope is negative.
    """

    def __init__(self, slope: float, offset: float) -> None:
        if not slope >= 0:
            raise ValueError(f"slope={slope}: it must be 0 or more.")
        self.slope = float(slope)
        self.offset = float(offset)

    def __call__(self, mean_log_probs: tf.Tensor) -> tf.Tensor:
        exists = tf.math.is_finite(mean_log_probs)
        known = tf.minimum(tf.where(exists, mean_log_probs, _SUREST), _SUREST)
        logits = known - tf.math.log(-tf.math.expm1(known))
        return tf.where(exists, tf.sigmoid(self.slope * logits + self.offset), 0.0)

    def get_config(self) -> dict[str, float]:
        return {"slope": self.slope, "offset": self.offset}

    @classmethod
    def from_config(cls, config: dict[str, float]) -> "WordProbability":
        return cls(**config)


def mean_log_probs(tokens: tf.Tensor, log_probs: tf.Tensor) -> tf.Tensor:
    """The mean log probability of the words of captions, their ends among them.

    Args:
        tokens: int32 `[..., T]`, captions as samplers return them.
        log_probs: float32 `[...]`, their log probabilities.

    Returns:
        float32 `[...]`; -inf where there is no caption.
    """
    # All but `<start>`.
    words = tf.reduce_sum(tf.cast(tokens != PAD, tf.float32), axis=-1) - 1.0
    return log_probs / words


def fit_word_probability(
    mean_log_probs: np.ndarray, hits: np.ndarray, words: np.ndarray
) -> WordProbability:
    """Fits the curve to captions whose words were held against those of people.

    It is the most probable one where each word is a draw of its own, and where the
    slope, for logits of unit variance, is a draw from a standard normal distribution:
    of some ten words it stays near the share that was right, and among hundreds the
    data decide.

    Args:
        mean_log_probs: As of `mean_log_probs`, of captions of images that the captioner
            did not learn from, float `[N]`.
        hits: How many of a caption's words people used, too, int `[N]`.
        words: How many of its words count, int `[N]`.

    Returns:
        The fitted curve.

    Raises:
        ValueError: When the shapes differ, there are more hits than words, or no word.

    Source: Platt, "Probabilistic outputs for support vector machines and comparisons to
    regularized likelihood methods", 1999, whose targets are taken: short of 0 and 1.
    """
    means, hits, words = (
        np.asarray(array, np.float64) for array in (mean_log_probs, hits, words)
    )
    if means.ndim != 1 or not means.shape == hits.shape == words.shape:
        raise ValueError(
            "Log probabilities, hits and words must be of one shape [N], got "
            f"{means.shape}, {hits.shape} and {words.shape}."
        )
    if (hits < 0).any() or (hits > words).any():
        raise ValueError("A caption cannot have more hits than words, nor below 0.")
    exists = np.isfinite(means)
    means, hits, words = (array[exists] for array in (means, hits, words))
    if not words.any():
        raise ValueError("No caption has a word that counts: nothing to calibrate by.")
    means = np.minimum(means, _SUREST)
    logits = means - np.log(-np.expm1(means))
    mean = np.average(logits, weights=words)
    deviation = max(np.sqrt(np.average((logits - mean) ** 2, weights=words)), _TINY)
    right, wrong = hits.sum(), (words - hits).sum()
    expected = hits * (right + 1) / (right + 2) + (words - hits) / (wrong + 2)
    slope, middle = _most_probable((logits - mean) / deviation, expected, words)
    slope /= deviation
    return WordProbability(slope, middle - slope * mean)


def _most_probable(x, expected, words):
    """Slope and height at 0, by Newton's method; the slope is not negative."""

    def loss(curve):
        logits = curve[0] * x + curve[1]
        cross_entropy = words * np.logaddexp(0, logits) - expected * logits
        return cross_entropy.sum() + curve[0] ** 2 / 2

    share = expected.sum() / words.sum()
    flat = np.array([0.0, np.log(share / (1 - share))])
    curve, value = flat, loss(flat)
    for _ in range(_STEPS):
        probabilities = 0.5 * (1 + np.tanh((curve[0] * x + curve[1]) / 2))
        error = expected - words * probabilities
        weight = words * probabilities * (1 - probabilities)
        gradient = np.array([error @ x - curve[0], error.sum()])
        across = weight @ x
        matrix = np.array([[weight @ x**2 + 1, across], [across, weight.sum()]])
        step, before = np.linalg.solve(matrix, gradient), value
        while (value := loss(curve + step)) > before + _TINY * (1 + abs(before)):
            step /= 2  # a full step may overshoot
        curve = curve + step
        if abs(before - value) <= _TINY * (1 + abs(before)):
            break
    # The best of the curves that do not fall is a flat one.
    return flat if curve[0] < 0 else curve
