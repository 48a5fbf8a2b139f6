"""Plain soft attention: one LSTM whose own last state points at the regions."""

import typing

import keras
import tensorflow as tf

from annotator.captioner.decoders.additive_attention import AdditiveAttention
from annotator.captioner.decoders.attending import AttendingDecoder
from annotator.captioner.decoders.decoder import Prepared, State
from annotator.captioner.decoders.rows import repeat_rows


@keras.saving.register_keras_serializable(package="annotator")
class SoftDecoder(AttendingDecoder):
    """One LSTM that reads each word with the context its previous state selects.

    This is the stacked decoder with k = 1. The attention of a word waits for the
    state after the word before, so known captions also run step by step.

    Args:
        vocabulary_size: V, number of words.
        **kwargs: See `AttendingDecoder`.

    Reference: Xu et al., Show, Attend and Tell, https://arxiv.org/abs/1502.03044,
    without its gate over the context and its deep output layer.
    """

    attending_layers = 1
    # What `_look` tells of every word in training, beside context and weights.
    extra_names: tuple[str, ...] = ()

    def __init__(self, vocabulary_size: int, **kwargs: typing.Any) -> None:
        super().__init__(vocabulary_size, **kwargs)
        self.lstm = self._new_lstm("lstm")
        self.attention = self._new_attention("attention")
        self.initial_projection = self._new_initial_projection(lstms=1)

    def build_layers(self, regions_shape: tuple) -> None:
        width = regions_shape[-1]
        self.attention.build((None, None, self.units), (None, None, width))
        self.lstm.build((None, None, self.embedding_units + width))
        self._build_initial(width)

    def attention_layers(self) -> list[AdditiveAttention]:
        return [self.attention]

    def states(
        self,
        prepared: Prepared,
        tokens: tf.Tensor,
        region_weights: tf.Tensor | None = None,
        training: bool = False,
    ) -> dict[str, tf.Tensor]:
        b, c, t = tf.unstack(tf.shape(tokens))
        rows, r = b * c, tf.shape(prepared["regions"])[1]
        inputs = self.embed(tf.reshape(tokens, [rows, t]), training)
        inputs = tf.TensorArray(inputs.dtype, t).unstack(_time_major(inputs))
        if region_weights is not None:
            region_weights = tf.reshape(region_weights, [rows, t, r])
            factors = tf.TensorArray(tf.float32, t).unstack(_time_major(region_weights))
        noise = self._noise(t, rows, r, training)
        extra_names = () if noise is None else self.extra_names
        kept = None
        if training and self.context_dropout:
            # Drawn at once: no random state changes within the loop.
            ones = tf.ones([t, rows, prepared["regions"].shape[-1]], self.compute_dtype)
            kept = self.context_dropout_layer(ones, training=True)

        def body(i, pair, hidden_array, weights_array, extra_arrays):
            context, weights, extras = self._look(
                pair[0],
                prepared,
                None if region_weights is None else factors.read(i),
                None if noise is None else noise[i],
            )
            if kept is not None:
                context *= kept[i]
            pair = self.lstm.step(tf.concat([inputs.read(i), context], axis=-1), pair)
            return (
                i + 1,
                pair,
                hidden_array.write(i, pair[0]),
                weights_array.write(i, weights),
                tuple(
                    array.write(i, extra)
                    for array, extra in zip(extra_arrays, extras, strict=True)
                ),
            )

        (initial,) = repeat_rows(prepared["initial"], c)
        _, _, hidden_array, weights_array, extra_arrays = tf.while_loop(
            lambda i, *_: i < t,
            body,
            (
                0,
                initial,
                tf.TensorArray(self.compute_dtype, t),
                tf.TensorArray(tf.float32, t),
                tuple(tf.TensorArray(tf.float32, t) for _ in extra_names),
            ),
        )
        hidden = _time_major(hidden_array.stack())
        weights = _time_major(weights_array.stack())
        states = {
            "hidden": tf.reshape(hidden, [b, c, t, self.units]),
            "attention_weights": tf.reshape(weights, [b, c, t, 1, r]),
        }
        for name, array in zip(extra_names, extra_arrays, strict=True):
            states[name] = tf.reshape(_time_major(array.stack()), [b, c, t])
        return states

    def step_states(
        self,
        tokens: tf.Tensor,
        state: State,
        prepared: Prepared,
        region_weights: tf.Tensor | None = None,
    ) -> tuple[tf.Tensor, State, tf.Tensor]:
        (pair,) = state
        context, weights, _ = self._look(pair[0], prepared, region_weights)
        pair = self.lstm.step(tf.concat([self.embed(tokens), context], axis=-1), pair)
        return pair[0], (pair,), weights[:, None]

    def _look(
        self,
        hidden: tf.Tensor,
        prepared: Prepared,
        region_weights: tf.Tensor | None = None,
        noise: tf.Tensor | None = None,
    ) -> tuple[tf.Tensor, tf.Tensor, list[tf.Tensor]]:
        """What the decoder sees before a word.

        Args:
            hidden: States `[N, H]`.
            prepared: From `prepare`, for B images.
            region_weights: `[N, R]` or None.
            noise: What `_noise` gave for this step.

        Returns:
            Context `[N, D]`, attention weights `[N, R]`, and with noise a list of
            `[N]`, one for each of `extra_names`.
        """
        context, weights = self._attend_rows(0, hidden, prepared, region_weights)
        return context, weights, []

    def _noise(self, steps, rows, regions, training):
        """What a subclass that samples regions needs, `[T, N, ...]`; None otherwise."""
        return None


def _time_major(tensor):
    """Swaps the first two axes."""
    order = tf.concat([[1, 0], tf.range(2, tf.rank(tensor))], 0)
    swapped = tf.transpose(tensor, order)
    swapped.set_shape([tensor.shape[1], tensor.shape[0], *tensor.shape[2:]])
    return swapped
