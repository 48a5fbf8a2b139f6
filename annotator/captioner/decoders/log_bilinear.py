"""The log-bilinear language model with an image bias."""

import typing

import keras
import tensorflow as tf

from annotator.captioner.decoders.decoder import (
    Mask,
    Prepared,
    State,
    mean_region,
    no_attention,
)
from annotator.captioner.decoders.embedding_decoder import EmbeddingDecoder
from annotator.captioner.decoders.rows import repeat_rows
from annotator.captioner.vocabulary import START


@keras.saving.register_keras_serializable(package="annotator")
class LogBilinearDecoder(EmbeddingDecoder):
    """Predicts the vector of the next word linearly from those of the last words.

        r_t = sum_{i=1..n} C_i E[y_{t-i}] + C_m mean(regions)
        p(y_t = w) = softmax_w( r_t . E[w] + b_w )

    with full matrices C_i, and `<start>` before the first word. Nothing is
    recurrent and nothing is non-linear but the softmax.

    Args:
        vocabulary_size: V, number of words.
        context: n, how many words it looks back.
        **kwargs: See `EmbeddingDecoder`. The output weights are the word vectors
            (`tied`), so `units` and `embedding_units` are one and the same.

    Raises:
        ValueError: When it looks back no word, or the two widths differ.

    Reference: Kiros et al., Multimodal neural language models, 2014: the
    modality-biased log-bilinear model (MLBL-B).
    """

    def __init__(
        self, vocabulary_size: int, context: int = 5, **kwargs: typing.Any
    ) -> None:
        kwargs["tied"] = True
        kwargs.setdefault("embedding_units", kwargs.get("units"))
        super().__init__(vocabulary_size, **kwargs)
        if context < 1:
            raise ValueError(f"context={context}: it must look back 1 word or more.")
        if self.embedding_units != self.units:
            raise ValueError(
                f"embedding_units={self.embedding_units} and units={self.units} are "
                "the same in a log-bilinear model: it predicts a word's vector."
            )
        self.context = context
        policy = self.dtype_policy
        self.image_projection = keras.layers.Dense(
            self.units, dtype=policy, name="image_projection"
        )
        self.word_projection = keras.layers.Dense(
            self.units, use_bias=False, dtype=policy, name="word_projection"
        )

    def build_layers(self, regions_shape: tuple) -> None:
        self.image_projection.build((None, regions_shape[-1]))
        self.word_projection.build((None, self.context * self.units))

    def prepare(self, regions: tf.Tensor, region_mask: Mask = None) -> Prepared:
        regions = tf.cast(regions, self.compute_dtype)
        image = self.image_projection(mean_region(regions, region_mask))
        before = tf.fill([tf.shape(regions)[0], self.context - 1], START)
        initial = image, before
        return {"regions": regions, "region_mask": region_mask, "initial": initial}

    def states(
        self,
        prepared: Prepared,
        tokens: tf.Tensor,
        region_weights: tf.Tensor | None = None,
        training: bool = False,
    ) -> dict[str, tf.Tensor]:
        b, c, t = tf.unstack(tf.shape(tokens))
        image, before = repeat_rows(prepared["initial"], c)
        words = tf.concat([before, tf.reshape(tokens, [b * c, t])], axis=1)
        vectors = self.embed(words, training)
        last = [vectors[:, i : i + t] for i in range(self.context)]
        hidden = self.word_projection(tf.concat(last, axis=-1)) + image[:, None]
        return {
            "hidden": tf.reshape(hidden, [b, c, t, self.units]),
            "attention_weights": no_attention([b, c, t], prepared),
        }

    def step_states(
        self,
        tokens: tf.Tensor,
        state: State,
        prepared: Prepared,
        region_weights: tf.Tensor | None = None,
    ) -> tuple[tf.Tensor, State, tf.Tensor]:
        image, before = state
        words = tf.concat([before, tokens[:, None]], axis=1)
        vectors = tf.reshape(self.embed(words), [-1, self.context * self.units])
        hidden = self.word_projection(vectors) + image
        return hidden, (image, words[:, 1:]), no_attention(tf.shape(tokens), prepared)

    def get_config(self) -> dict:
        return {**super().get_config(), "context": self.context}
