"""Probabilities of words: the last layer of a network that is trained to tag."""

from typing import Any

import keras
import numpy as np
import tensorflow as tf
from keras import ops

from annotator.tagger.word_scores import NEVER


@keras.saving.register_keras_serializable(package="annotator")
class WordProbabilities(keras.layers.Layer):
    """Probabilities of words, which compete for an image.

    The mean over the regions, dropout, and an affine map to a softmax.

    Args:
        words: Number of words W.
        dropout: Rate of dropout.
        seed: Seed of dropout and of the weights.

    Call arguments:
        regions: Regions of images, float `[batch, R, channels]`.
        training: Whether there is dropout.

    Output shape:
        float32 `[batch, W]`: the logarithms of the probabilities, larger is better;
        about `NEVER` for words without images.

    Source: Gong et al., "Deep convolutional ranking for multilabel image annotation",
    ICLR 2014 (its softmax).
    """

    def __init__(
        self,
        words: int,
        dropout: float = 0.5,
        seed: int | None = None,
        **kwargs: Any,
    ) -> None:
        super().__init__(**{**kwargs, "dtype": "float32"})
        self.words = words
        self.rate = dropout
        self.seed = seed
        self.dropout = keras.layers.Dropout(dropout, seed=seed)
        self.dense = keras.layers.Dense(
            words,
            kernel_initializer=keras.initializers.GlorotUniform(seed=seed),
            name="dense",
        )

    def build(self, input_shape: tuple) -> None:
        self.dense.build((None, input_shape[-1]))
        self.floor = self.add_weight(
            shape=(self.words,), name="floor", initializer="zeros", trainable=False
        )

    def leave_out(self, counts: np.ndarray) -> None:
        """Takes the words without training images out: they are never said.

        Args:
            counts: Training images of each word, int `[W]`.
        """
        self.floor.assign(np.where(np.asarray(counts) > 0, 0.0, NEVER))

    def call(self, regions: tf.Tensor, training: bool = False) -> tf.Tensor:
        means = self.dropout(ops.mean(regions, axis=1), training=training)
        return ops.log_softmax(self.dense(means) + self.floor)

    def loss(
        self, regions: tf.Tensor, tags: tf.Tensor, training: bool = True
    ) -> dict[str, tf.Tensor]:
        """Cross entropy with the words of the images, which share 1 evenly.

        Args:
            regions: Regions of images, float `[batch, R, channels]`.
            tags: 1 where the image carries the word, else 0; float `[batch, W]`. Images
                without words do not count.
            training: Whether there is dropout.

        Returns:
            Dict of float32 sums over the batch: `loss`, and `images`, those that count.
        """
        log_probabilities = self(regions, training=training)
        counts = ops.sum(tags, -1, keepdims=True)
        shares = tags / ops.maximum(counts, 1.0)
        return {
            "loss": -ops.sum(ops.where(tags > 0, shares * log_probabilities, 0.0)),
            "images": ops.sum(ops.cast(counts > 0, "float32")),
        }

    def compute_output_shape(self, input_shape: tuple) -> tuple:
        return (input_shape[0], self.words)

    def get_config(self) -> dict[str, Any]:
        return {
            **super().get_config(),
            "words": self.words,
            "dropout": self.rate,
            "seed": self.seed,
        }
