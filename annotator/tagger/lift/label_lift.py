"""Label lift: a word gains by the other words that an image seems to have."""

from typing import Any

import keras
import numpy as np
import tensorflow as tf
from keras import ops

from annotator.tagger.lift.cooccurrence import LARGEST_SCORE, TEMPERATURE
from annotator.tagger.word_scores import NEVER


@keras.saving.register_keras_serializable(package="annotator")
class LabelLift(keras.layers.Layer):
    """Adds to a word's score what the other words of the image make of it.

    With the scores s of an image, p = softmax(s / (`TEMPERATURE` * deviation)) and the
    words v and w, `s_w + strength * deviation * sum_v p_v lift(v, w)`, where
    `lift(v, w) = log(1 + p(w | v) / p(w)) - log 2` is counted in the training images.
    It costs W * W products an image, whatever the number of training images.

    Words that each image carries, or none, neither give nor take.

    Args:
        words: Number of words W.

    Call arguments:
        scores: A score a word, float32 `[batch, W]`.

    Output shape:
        float32 `[batch, W]`.

    Source: the lift of two words is that of association rules, see Brin et al.,
    "Dynamic itemset counting and implication rules for market basket data", 1997.
    """

    def __init__(self, words: int, **kwargs: Any) -> None:
        super().__init__(**{**kwargs, "dtype": "float32", "trainable": False})
        self.words = words

    @classmethod
    def from_fit(
        cls, lifts: np.ndarray, deviation: float, strength: float, **kwargs: Any
    ) -> "LabelLift":
        """Builds the layer.

        Args:
            lifts: From `Cooccurrence.lifts`, float `[W, W]`.
            deviation: Standard deviation of scores.
            strength: Share of the deviation that a lift of 1 adds.
            **kwargs: Arguments of the base layer.

        Returns:
            The built layer.
        """
        layer = cls(len(lifts), **kwargs)
        layer.build((None, len(lifts)))
        sharpness = 1.0 / (TEMPERATURE * deviation)
        layer.set_weights([lifts * strength * deviation, np.float32(sharpness)])
        return layer

    def build(self, input_shape: tuple) -> None:
        self.lifts = self.add_weight(shape=(self.words, self.words), name="lifts")
        self.sharpness = self.add_weight(shape=(), name="sharpness")

    def call(self, scores: tf.Tensor) -> tf.Tensor:
        counts = ops.abs(scores) < LARGEST_SCORE
        sharp = ops.where(counts, scores * self.sharpness, NEVER)
        shares = ops.where(counts, ops.softmax(sharp), 0.0)
        return scores + ops.where(counts, ops.matmul(shares, self.lifts), 0.0)

    def compute_output_shape(self, input_shape: tuple) -> tuple:
        return input_shape

    def get_config(self) -> dict[str, Any]:
        return {**super().get_config(), "words": self.words}
