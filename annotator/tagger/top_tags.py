"""The tags of an image, chosen by the scores of all words."""

from collections.abc import Iterable
from typing import Any

import keras
import tensorflow as tf

from annotator.tagger.word_scores import NEVER

RANKINGS = ("score", "probability")


@keras.saving.register_keras_serializable(package="annotator")
class TopTags(keras.layers.Layer):
    """The best words of each image, best first.

    Args:
        words: The W words, in the order of the scores.
        top_k: Words per image at most; 5 is this field's protocol. 0 stands for W.
        threshold: Lowest score a tag may have; `None` for no limit. Where a word falls
            short, or never had an image to be learned from (a score of `NEVER`), there
            is an empty string instead.
        rank_by: `"score"`, in which rare words count as much as frequent ones, as this
            field's averages over words reward; or `"probability"`, where that is known:
            of what is given more is right, and frequent words come first.

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
        rank_by: str = "score",
        **kwargs: Any,
    ) -> None:
        super().__init__(**{**kwargs, "dtype": "float32", "trainable": False})
        if top_k < 0:
            raise ValueError(f"top_k must not be negative, got {top_k}.")
        if rank_by not in RANKINGS:
            raise ValueError(f"rank_by must be one of {RANKINGS}, got {rank_by!r}.")
        self.words = list(words)
        self.rank_by = rank_by
        self.top_k = top_k
        self.threshold = threshold

    @property
    def tags_per_image(self) -> int:
        """Tags per image k, the empty ones among them."""
        return min(self.top_k, len(self.words)) if self.top_k else len(self.words)

    def call(
        self, scores: tf.Tensor, probabilities: tf.Tensor | None = None
    ) -> dict[str, tf.Tensor]:
        _, indices = self._best(scores, probabilities)
        best = tf.gather(scores, indices, batch_dims=1)
        tags = tf.gather(tf.constant(self.words), indices)
        tags = tf.where(self._kept(best), tags, "")
        outputs = {"tags": tags, "scores": best}
        if probabilities is not None:
            outputs["probabilities"] = tf.gather(probabilities, indices, batch_dims=1)
        return outputs

    def predicted(
        self, scores: tf.Tensor, probabilities: tf.Tensor | None = None
    ) -> tf.Tensor:
        """Which words each image gets.

        Args:
            scores: A score a word, float32 `[batch, W]`.
            probabilities: As in a call.

        Returns:
            bool `[batch, W]`.
        """
        _, indices = self._best(scores, probabilities)
        best = tf.gather(scores, indices, batch_dims=1)
        rows = tf.broadcast_to(
            tf.range(tf.shape(scores)[0])[:, None], tf.shape(indices)
        )
        cells = tf.stack([rows, indices], axis=-1)
        kept = tf.cast(self._kept(best), tf.int32)
        return tf.scatter_nd(cells, kept, tf.shape(scores)) > 0

    def _best(self, scores, probabilities):
        ranked = scores
        if self.rank_by == "probability" and probabilities is not None:
            # A word that no image taught has a probability, too, but is never given.
            ranked = tf.where(scores > NEVER / 2, probabilities, -1.0)
        return tf.math.top_k(ranked, self.tags_per_image)

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
            "rank_by": self.rank_by,
        }
