"""Show and Tell: the image is the first word."""

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
from annotator.captioner.decoders.lstm import LSTM
from annotator.captioner.decoders.rows import repeat_rows


@keras.saving.register_keras_serializable(package="annotator")
class NicDecoder(EmbeddingDecoder):
    """One LSTM without attention that reads the image before the words.

    A dense layer of the mean region stands in the place of a word vector at the
    step before `<start>`; after it the image is not seen again.

    Args:
        vocabulary_size: V, number of words.
        **kwargs: See `EmbeddingDecoder`; `attention_units` and
            `jit_compile` do nothing here.

    Reference: Vinyals et al., Show and tell: a neural image caption generator,
    https://arxiv.org/abs/1411.4555.
    """

    def __init__(self, vocabulary_size: int, **kwargs: typing.Any) -> None:
        super().__init__(vocabulary_size, **kwargs)
        policy = self.dtype_policy
        self.lstm = LSTM(self.units, dtype=policy, name="lstm")
        self.image_projection = keras.layers.Dense(
            self.embedding_units, dtype=policy, name="image_projection"
        )

    def build_layers(self, regions_shape: tuple) -> None:
        self.lstm.build((None, None, self.embedding_units))
        self.image_projection.build((None, regions_shape[-1]))

    def prepare(self, regions: tf.Tensor, region_mask: Mask = None) -> Prepared:
        regions = tf.cast(regions, self.compute_dtype)
        image = self.image_projection(mean_region(regions, region_mask))
        zeros = tf.zeros([tf.shape(regions)[0], self.units])
        initial = self.lstm.step(image, (tf.cast(zeros, self.compute_dtype), zeros))
        return {"regions": regions, "region_mask": region_mask, "initial": initial}

    def states(
        self,
        prepared: Prepared,
        tokens: tf.Tensor,
        region_weights: tf.Tensor | None = None,
        training: bool = False,
    ) -> dict[str, tf.Tensor]:
        b, c, t = tf.unstack(tf.shape(tokens))
        inputs = self.embed(tf.reshape(tokens, [b * c, t]), training)
        hidden = self.lstm(inputs, repeat_rows(prepared["initial"], c))
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
        state = self.lstm.step(self.embed(tokens), state)
        return state[0], state, no_attention(tf.shape(tokens), prepared)
