"""Show and Tell: the image is the first word."""

import keras
import tensorflow as tf

from annotator.captioner.decoders.decoder import (
    Decoder,
    mean_region,
    no_attention,
    repeat_rows,
)
from annotator.captioner.decoders.lstm import LSTM


@keras.saving.register_keras_serializable(package="annotator")
class NicDecoder(Decoder):
    """One LSTM without attention that reads the image before the words.

    A dense layer of the mean region stands in the place of a word vector at the
    step before `<start>`; after it the image is not seen again.

    Args:
        **kwargs: see `Decoder`; `attention_units` and `jit_compile` do nothing here.

    Reference: Vinyals et al., Show and tell: a neural image caption generator,
    https://arxiv.org/abs/1411.4555.
    """

    def __init__(self, vocabulary_size, **kwargs):
        super().__init__(vocabulary_size, **kwargs)
        policy = self.dtype_policy
        self.lstm = LSTM(self.units, dtype=policy, name="lstm")
        self.image_projection = keras.layers.Dense(
            self.embedding_units, dtype=policy, name="image_projection"
        )

    def build_layers(self, regions_shape):
        self.lstm.build((None, None, self.embedding_units))
        self.image_projection.build((None, regions_shape[-1]))

    def prepare(self, regions, region_mask=None):
        regions = tf.cast(regions, self.compute_dtype)
        image = self.image_projection(mean_region(regions, region_mask))
        nothing = tf.zeros([tf.shape(regions)[0], self.units])
        initial = self.lstm.step(image, (tf.cast(nothing, self.compute_dtype), nothing))
        return {"regions": regions, "region_mask": region_mask, "initial": initial}

    def states(self, prepared, tokens, region_weights=None, training=False):
        b, c, t = tf.unstack(tf.shape(tokens))
        inputs = self.embed(tf.reshape(tokens, [b * c, t]), training)
        hidden = self.lstm(inputs, repeat_rows(prepared["initial"], c))
        return {
            "hidden": tf.reshape(hidden, [b, c, t, self.units]),
            "attention_weights": no_attention([b, c, t], prepared),
        }

    def step_states(self, tokens, state, prepared, region_weights=None):
        state = self.lstm.step(self.embed(tokens), state)
        return state[0], state, no_attention(tf.shape(tokens), prepared)
