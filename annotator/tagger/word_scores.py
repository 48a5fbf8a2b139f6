"""Scores of words by how near a vector is to each word's mean, as a layer."""

from typing import Any

import keras
import numpy as np
import tensorflow as tf
from keras import ops

from annotator.tagger.word_means import NEVER as NEVER
from annotator.tagger.word_means import WordMeans


@keras.saving.register_keras_serializable(package="annotator")
class WordScores(keras.layers.Layer):
    """Similarity of vectors to the mean vectors of words.

    Args:
        words: Number of words W.
        similarity: `"l2"`, the negated Euclidean distance (the published form), or
            `"cosine"`. A zero vector has cosine 0 with everything.

    Call arguments:
        vectors: A vector an image, float `[batch, d]`.

    Output shape:
        float32 scores `[batch, W]`, larger is nearer; `NEVER` for words without images.
    """

    def __init__(self, words: int, similarity: str = "l2", **kwargs: Any) -> None:
        super().__init__(**{**kwargs, "dtype": "float32", "trainable": False})
        if similarity not in ("l2", "cosine"):
            raise ValueError(
                f"similarity must be 'l2' or 'cosine', got {similarity!r}."
            )
        self.words = words
        self.similarity = similarity

    @classmethod
    def from_means(
        cls, means: WordMeans, similarity: str = "l2", **kwargs: Any
    ) -> "WordScores":
        """Builds the layer of mean vectors.

        Args:
            means: The mean vectors of W words.
            similarity: As in the class.
            **kwargs: Arguments of the base layer.

        Returns:
            The built layer.
        """
        layer = cls(len(means.words), similarity, **kwargs)
        layer.build((None, means.sums.shape[1]))
        layer.means.assign(means.means.astype(np.float32))
        layer.floor.assign(np.where(means.counts > 0, 0.0, NEVER))
        return layer

    def build(self, input_shape: tuple) -> None:
        self.means = self.add_weight(shape=(self.words, input_shape[-1]), name="means")
        self.floor = self.add_weight(shape=(self.words,), name="floor")

    def call(self, vectors: tf.Tensor) -> tf.Tensor:
        products = ops.matmul(vectors, ops.transpose(self.means))
        squares = ops.sum(ops.square(vectors), -1, keepdims=True)
        mean_squares = ops.sum(ops.square(self.means), -1)
        if self.similarity == "cosine":
            lengths = ops.sqrt(ops.maximum(squares * mean_squares, 1e-24))
            return products / lengths + self.floor
        distances = ops.sqrt(ops.maximum(squares + mean_squares - 2 * products, 0.0))
        return self.floor - distances

    def compute_output_shape(self, input_shape: tuple) -> tuple:
        return (input_shape[0], self.words)

    def get_config(self) -> dict[str, Any]:
        return {
            **super().get_config(),
            "words": self.words,
            "similarity": self.similarity,
        }
