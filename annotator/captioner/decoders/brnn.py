"""The generator of "deep visual-semantic alignments": a simple recurrent network."""

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


@keras.saving.register_keras_serializable(package="annotator")
class BrnnDecoder(EmbeddingDecoder):
    """A rectified recurrent network that hears of the image at the first word.

        b_v = W_v mean(regions)
        h_t = max(0, W_x E[y_t] + W_h h_{t-1} + b + [t = 1] b_v)

    (The bidirectional network that gave the system its name aligns words and
    regions; captions come from this one.)

    Args:
        vocabulary_size: V, number of words.
        **kwargs: See `EmbeddingDecoder`; `attention_units` and
            `jit_compile` do nothing here.

    Reference: Karpathy and Fei-Fei, Deep visual-semantic alignments for generating
    image descriptions, https://arxiv.org/abs/1412.2306, section 3.2.
    """

    def __init__(self, vocabulary_size: int, **kwargs: typing.Any) -> None:
        super().__init__(vocabulary_size, **kwargs)
        policy = self.dtype_policy
        self.image_projection = keras.layers.Dense(
            self.units, use_bias=False, dtype=policy, name="image_projection"
        )
        self.word_projection = keras.layers.Dense(
            self.units, dtype=policy, name="word_projection"
        )
        self.recurrent_projection = keras.layers.Dense(
            self.units,
            use_bias=False,
            kernel_initializer="orthogonal",
            dtype=policy,
            name="recurrent_projection",
        )

    def build_layers(self, regions_shape: tuple) -> None:
        self.image_projection.build((None, regions_shape[-1]))
        self.word_projection.build((None, self.embedding_units))
        self.recurrent_projection.build((None, self.units))

    def prepare(self, regions: tf.Tensor, region_mask: Mask = None) -> Prepared:
        regions = tf.cast(regions, self.compute_dtype)
        image = self.image_projection(mean_region(regions, region_mask))
        # The second part is the image's bias: all of it now, none after a step.
        initial = tf.zeros_like(image), image
        return {"regions": regions, "region_mask": region_mask, "initial": initial}

    def states(
        self,
        prepared: Prepared,
        tokens: tf.Tensor,
        region_weights: tf.Tensor | None = None,
        training: bool = False,
    ) -> dict[str, tf.Tensor]:
        b, c, t = tf.unstack(tf.shape(tokens))
        words = self.word_projection(
            self.embed(
                tf.reshape(tf.transpose(tokens, [2, 0, 1]), [t, b * c]), training
            )
        )
        hidden, image = repeat_rows(prepared["initial"], c)
        words += tf.pad(image[None], [[0, t - 1], [0, 0], [0, 0]])
        inputs = tf.TensorArray(words.dtype, t).unstack(words)

        def body(i, hidden, hidden_array):
            hidden = tf.nn.relu(inputs.read(i) + self.recurrent_projection(hidden))
            return i + 1, hidden, hidden_array.write(i, hidden)

        _, _, hidden_array = tf.while_loop(
            lambda i, *_: i < t, body, (0, hidden, tf.TensorArray(hidden.dtype, t))
        )
        hidden = tf.transpose(hidden_array.stack(), [1, 0, 2])
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
        hidden, image = state
        words = self.word_projection(self.embed(tokens))
        hidden = tf.nn.relu(words + image + self.recurrent_projection(hidden))
        return (
            hidden,
            (hidden, tf.zeros_like(image)),
            no_attention(tf.shape(tokens), prepared),
        )
