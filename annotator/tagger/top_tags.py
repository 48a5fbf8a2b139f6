"""From a score per word to the words an image gets."""

import keras
import tensorflow as tf


@keras.saving.register_keras_serializable(package="annotator")
class TopTags(keras.layers.Layer):
    """The best words of each image, best first.

    Args:
        words: The W words, in the order of the scores.
        top_k: Words per image at most; 5 is this field's protocol. 0 stands for W.
        threshold: Lowest score a tag may have; `None` for no limit. A place whose word
            falls short holds an empty string.

    Call arguments:
        scores: float32 `[batch, W]`.

    Output shape:
        A dict: `tags`, string `[batch, k]`, and `scores`, float32 `[batch, k]`.
    """

    def __init__(self, words, top_k=5, threshold=None, **kwargs):
        super().__init__(**{**kwargs, "dtype": "float32", "trainable": False})
        if top_k < 0:
            raise ValueError(f"top_k must not be negative, got {top_k}.")
        self.words = list(words)
        self.top_k = top_k
        self.threshold = threshold

    @property
    def places(self):
        """Tags per image, k."""
        return min(self.top_k, len(self.words)) if self.top_k else len(self.words)

    def call(self, scores):
        best, indices = tf.math.top_k(scores, self.places)
        tags = tf.gather(tf.constant(self.words), indices)
        if self.threshold is not None:
            tags = tf.where(best >= self.threshold, tags, "")
        return {"tags": tags, "scores": best}

    def predicted(self, scores):
        """Which words each image gets: bool `[batch, W]`."""
        best, indices = tf.math.top_k(scores, self.places)
        kept = tf.ones_like(best, tf.bool)
        if self.threshold is not None:
            kept = best >= self.threshold
        rows = tf.broadcast_to(
            tf.range(tf.shape(scores)[0])[:, None], tf.shape(indices)
        )
        where = tf.stack([rows, indices], axis=-1)
        return tf.scatter_nd(where, tf.cast(kept, tf.int32), tf.shape(scores)) > 0

    def compute_output_spec(self, scores):
        shape = (scores.shape[0], self.places)
        return {
            "tags": keras.KerasTensor(shape, "string"),
            "scores": keras.KerasTensor(shape, "float32"),
        }

    def get_config(self):
        return {
            **super().get_config(),
            "words": self.words,
            "top_k": self.top_k,
            "threshold": self.threshold,
        }
