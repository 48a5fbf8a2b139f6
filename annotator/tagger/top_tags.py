"""The tags of an image, chosen by the scores of all words."""

from collections.abc import Iterable
from typing import Any

import keras
import tensorflow as tf

from annotator.tagger.word_scores import NEVER


@keras.saving.register_keras_serializable(package="annotator")
class TopTags(keras.layers.Layer):
    """The best words of each image, best first.

    Args:
        words: The W words, in the order of the scores.
        top_k: Words per image at most; 5 is this field's protocol. 0 stands for W.
        threshold: Lowest score a tag may have; `None` for no limit. Where a word falls
            short, or never had an image to be learned from (a score of `NEVER`), there
            is an empty string instead.

    Call arguments:
        scores: A score a word, float32 `[batch, W]`.
        probabilities: The probability of each word, float32 `[batch, W]`, if known.

    Output shape:
        A dict: `tags`, string `[batch, k]`, and `scores`, float32 `[batch, k]`; and the
        `probabilities` of these tags, float32 `[batch, k]`, if known.
    """

    def __init__(
        self,
        words: Iterable[str],
        top_k: int = 5,
        threshold: float | None = None,
        **kwargs: Any,
    ) -> None:
        super().__init__(**{**kwargs, "dtype": "float32", "trainable": False})
        if top_k < 0:
            raise ValueError(f"top_k must not be negative, got {top_k}.")
        self.words = list(words)
        self.top_k = top_k
        self.threshold = threshold

    @property
    def tags_per_image(self) -> int:
        """Tags per image k, the empty ones among them."""
        return min(self.top_k, len(self.words)) if self.top_k else len(self.words)

    def call(
        self, scores: tf.Tensor, probabilities: tf.Tensor | None = None
    ) -> dict[str, tf.Tensor]:
        best, indices = tf.math.top_k(scores, self.tags_per_image)
        tags = tf.gather(tf.constant(self.words), indices)
        tags = tf.where(self._kept(best), tags, "")
        outputs = {"tags": tags, "scores": best}
        if probabilities is not None:
            outputs["probabilities"] = tf.gather(probabilities, indices, batch_dims=1)
        return outputs

    def predicted(self, scores: tf.Tensor) -> tf.Tensor:
        """Which words each image gets.

        Args:
            scores: A score a word, float32 `[batch, W]`.

        Returns:
            bool `[batch, W]`.
        """
        best, indices = tf.math.top_k(scores, self.tags_per_image)
        rows = tf.broadcast_to(
            tf.range(tf.shape(scores)[0])[:, None], tf.shape(indices)
        )
        cells = tf.stack([rows, indices], axis=-1)
        kept = tf.cast(self._kept(best), tf.int32)
        return tf.scatter_nd(cells, kept, tf.shape(scores)) > 0

    def _kept(self, scores):
        kept = scores > NEVER / 2
        return kept if self.threshold is None else kept & (scores >= self.threshold)

    def compute_output_spec(
        self, scores: keras.KerasTensor, probabilities: keras.KerasTensor | None = None
    ) -> dict[str, keras.KerasTensor]:
        shape = (scores.shape[0], self.tags_per_image)
        outputs = {
            "tags": keras.KerasTensor(shape, "string"),
            "scores": keras.KerasTensor(shape, "float32"),
        }
        if probabilities is not None:
            outputs["probabilities"] = keras.KerasTensor(shape, "float32")
        return outputs

    def get_config(self) -> dict[str, Any]:
        return {
            **super().get_config(),
            "words": self.words,
            "top_k": self.top_k,
            "threshold": self.threshold,
        }
