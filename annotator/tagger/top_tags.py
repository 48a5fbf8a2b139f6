"""From a score per word to the words an image gets."""

import keras
import tensorflow as tf

from annotator.tagger.word_scores import NEVER


@keras.saving.register_keras_serializable(package="annotator")
class TopTags(keras.layers.Layer):
    """The best words of each image, best first.

    Args:
        words: The W words, in the order of the scores.
        top_k: Words per image at most; 5 is this field's protocol. 0 stands for W.
        threshold: Lowest score a tag may have; `None` for no limit. A place whose word
            falls short, or never had an image to be learnt from (a score of `NEVER`),
            holds an empty string.

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
        tags = tf.where(self._kept(best), tags, "")
        return {"tags": tags, "scores": best}

    def predicted(self, scores):
        """Which words each image gets: bool `[batch, W]`."""
        best, indices = tf.math.top_k(scores, self.places)
        rows = tf.broadcast_to(
            tf.range(tf.shape(scores)[0])[:, None], tf.shape(indices)
        )
        where = tf.stack([rows, indices], axis=-1)
        kept = tf.cast(self._kept(best), tf.int32)
        return tf.scatter_nd(where, kept, tf.shape(scores)) > 0

    def _kept(self, scores):
        kept = scores > NEVER / 2
        return kept if self.threshold is None else kept & (scores >= self.threshold)

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
