"""How near a vector is to each word's mean, as a layer."""

import keras
import numpy as np
from keras import ops

# Below any similarity: the score of a word that no training image carries.
NEVER = -1e30


@keras.saving.register_keras_serializable(package="annotator")
class WordScores(keras.layers.Layer):
    """Similarity of vectors to the mean vectors of words.

    Args:
        words: Number of words W.
        similarity: `"l2"`, the negated Euclidean distance (the published form), or
            `"cosine"`. A zero vector has cosine 0 with everything.

    Call arguments:
        vectors: float `[batch, d]`.

    Output shape:
        float32 scores `[batch, W]`, larger is nearer; `NEVER` for words without images.
    """

    def __init__(self, words, similarity="l2", **kwargs):
        super().__init__(**{**kwargs, "dtype": "float32", "trainable": False})
        if similarity not in ("l2", "cosine"):
            raise ValueError(
                f"similarity must be 'l2' or 'cosine', got {similarity!r}."
            )
        self.words = words
        self.similarity = similarity

    @classmethod
    def from_means(cls, means, similarity="l2", **kwargs):
        """The layer for `WordMeans`."""
        layer = cls(len(means.words), similarity, **kwargs)
        layer.build((None, means.sums.shape[1]))
        layer.means.assign(means.means.astype(np.float32))
        layer.floor.assign(np.where(means.counts > 0, 0.0, NEVER))
        return layer

    def build(self, input_shape):
        self.means = self.add_weight(shape=(self.words, input_shape[-1]), name="means")
        self.floor = self.add_weight(shape=(self.words,), name="floor")

    def call(self, vectors):
        products = ops.matmul(vectors, ops.transpose(self.means))
        squares = ops.sum(ops.square(vectors), -1, keepdims=True)
        mean_squares = ops.sum(ops.square(self.means), -1)
        if self.similarity == "cosine":
            lengths = ops.sqrt(ops.maximum(squares * mean_squares, 1e-24))
            return products / lengths + self.floor
        distances = ops.sqrt(ops.maximum(squares + mean_squares - 2 * products, 0.0))
        return self.floor - distances

    def compute_output_shape(self, input_shape):
        return (input_shape[0], self.words)

    def get_config(self):
        return {
            **super().get_config(),
            "words": self.words,
            "similarity": self.similarity,
        }
