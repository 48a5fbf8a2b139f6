"""A threshold for each word."""

from typing import Any

import keras
import numpy as np
import tensorflow as tf
from keras import ops

from annotator.tagger.word_scores import NEVER


@keras.saving.register_keras_serializable(package="annotator")
class WordThresholds(keras.layers.Layer):
    """Leaves scores that are above their word's threshold; the others become `NEVER`.

    Args:
        words: Number of words W.

    Call arguments:
        scores: A score a word, float32 `[batch, W]`.

    Output shape:
        float32 `[batch, W]`.
    """

    def __init__(self, words: int, **kwargs: Any) -> None:
        super().__init__(**{**kwargs, "dtype": "float32", "trainable": False})
        self.words = words

    @classmethod
    def of(cls, thresholds: np.ndarray, **kwargs: Any) -> "WordThresholds":
        """Builds the layer of thresholds.

        Args:
            thresholds: float `[W]`, infinite for words that are never given.
            **kwargs: Arguments of the base layer.

        Returns:
            The built layer.
        """
        layer = cls(len(thresholds), **kwargs)
        layer.build((None, len(thresholds)))
        layer.set_weights([thresholds])
        return layer

    def build(self, input_shape: tuple) -> None:
        self.thresholds = self.add_weight(shape=(self.words,), name="thresholds")

    def call(self, scores: tf.Tensor) -> tf.Tensor:
        return ops.where(scores > self.thresholds, scores, NEVER)

    def compute_output_shape(self, input_shape: tuple) -> tuple:
        return (input_shape[0], self.words)

    def get_config(self) -> dict[str, Any]:
        return {**super().get_config(), "words": self.words}
