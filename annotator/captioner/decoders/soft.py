"""Plain soft attention: one LSTM whose own last state points at the regions."""

import keras
import tensorflow as tf

from annotator.captioner.decoders.additive_attention import AdditiveAttention
from annotator.captioner.decoders.decoder import (
    Decoder,
    group_rows,
    mean_region,
    repeat_rows,
)
from annotator.captioner.decoders.lstm import LSTM


@keras.saving.register_keras_serializable(package="annotator")
class SoftDecoder(Decoder):
    """One LSTM that reads each word with the context its previous state selects.

    This is the stacked decoder with k = 1. The attention of a word waits for the
    state after the word before, so known captions also run step by step.

    Args:
        **kwargs: see `Decoder`.

    Reference: Xu et al., Show, Attend and Tell, https://arxiv.org/abs/1502.03044,
    without its gate over the context and its deep output layer.
    """

    attending_layers = 1

    def __init__(self, vocabulary_size, **kwargs):
        super().__init__(vocabulary_size, **kwargs)
        policy = self.dtype_policy
        self.lstm = LSTM(self.units, dtype=policy, name="lstm")
        self.attention = AdditiveAttention(
            self.attention_units,
            jit_compile=self.jit_compile,
            dtype=policy,
            name="attention",
        )
        self.initial_projection = keras.layers.Dense(
            2 * self.units, activation="tanh", dtype=policy, name="initial_projection"
        )

    def build_layers(self, regions_shape):
        width = regions_shape[-1]
        self.attention.build((None, None, self.units), (None, None, width))
        self.lstm.build((None, None, self.embedding_units + width))
        self.initial_projection.build((None, width))

    def prepare(self, regions, region_mask=None):
        regions = tf.cast(regions, self.compute_dtype)
        return {
            "regions": regions,
            "keys": self.attention.project(regions),
            "region_mask": region_mask,
            "initial": self._initial(regions, region_mask),
        }

    def reweigh(self, prepared, region_weights):
        factors = region_weights[..., None]
        regions = prepared["regions"] * tf.cast(factors, self.compute_dtype)
        return {
            "regions": regions,
            "keys": prepared["keys"] * factors,
            "region_mask": prepared["region_mask"],
            "initial": self._initial(regions, prepared["region_mask"]),
        }

    def states(self, prepared, tokens, region_weights=None, training=False):
        b, c, t = tf.unstack(tf.shape(tokens))
        rows, r = b * c, tf.shape(prepared["regions"])[1]
        inputs = self.embed(tf.reshape(tokens, [rows, t]), training)
        inputs = tf.TensorArray(inputs.dtype, t).unstack(_time_major(inputs))
        if region_weights is not None:
            region_weights = tf.reshape(region_weights, [rows, t, r])
            factors = tf.TensorArray(tf.float32, t).unstack(_time_major(region_weights))
        noise = self._noise(t, rows, r, training)
        hidden, memory = repeat_rows(prepared["initial"], c)

        def body(i, hidden, memory, all_hidden, all_weights, all_extras):
            now = None if region_weights is None else factors.read(i)
            context, weights, extras = self._attend(
                hidden, prepared, now, None if noise is None else noise[i]
            )
            inputs_and_context = tf.concat([inputs.read(i), context], axis=-1)
            hidden, memory = self.lstm.step(inputs_and_context, (hidden, memory))
            return (
                i + 1,
                hidden,
                memory,
                all_hidden.write(i, hidden),
                all_weights.write(i, weights),
                [
                    a.write(i, extra)
                    for a, extra in zip(all_extras, extras, strict=True)
                ],
            )

        extras = [] if noise is None else ["choice_log_probs", "entropy"]
        arrays = [tf.TensorArray(d, t) for d in (self.compute_dtype, tf.float32)]
        _, _, _, *arrays, all_extras = tf.while_loop(
            lambda i, *_: i < t,
            body,
            [
                0,
                hidden,
                memory,
                *arrays,
                [tf.TensorArray(tf.float32, t) for _ in extras],
            ],
        )
        hidden, weights = (_time_major(array.stack()) for array in arrays)
        states = {
            "hidden": tf.reshape(hidden, [b, c, t, self.units]),
            "attention_weights": tf.reshape(weights, [b, c, t, 1, r]),
        }
        for name, array in zip(extras, all_extras, strict=True):
            states[name] = tf.reshape(_time_major(array.stack()), [b, c, t])
        return states

    def step_states(self, tokens, state, prepared, region_weights=None):
        context, weights, _ = self._attend(state[0], prepared, region_weights)
        inputs = tf.concat([self.embed(tokens), context], axis=-1)
        state = self.lstm.step(inputs, state)
        return state[0], state, weights[:, None]

    def _attend(self, hidden, prepared, region_weights=None, noise=None):
        """Context `[N, D]`, weights `[N, R]` and extras of states `[N, H]`."""
        images = tf.shape(prepared["regions"])[0]
        if region_weights is not None:
            region_weights = group_rows(region_weights, images)
        context, weights = self.attention(
            group_rows(hidden, images),
            prepared["keys"],
            prepared["regions"],
            region_mask=prepared["region_mask"],
            region_weights=region_weights,
        )
        context = tf.reshape(context, [-1, context.shape[-1]])
        return context, tf.reshape(weights, [-1, tf.shape(weights)[-1]]), []

    def _noise(self, steps, rows, regions, training):
        """What a subclass that samples regions needs; None otherwise."""
        return None

    def _initial(self, regions, region_mask):
        hidden, memory = tf.split(
            self.initial_projection(mean_region(regions, region_mask)), 2, axis=-1
        )
        return hidden, tf.cast(memory, tf.float32)


def _time_major(tensor):
    """Swaps the first two axes."""
    order = tf.concat([[1, 0], tf.range(2, tf.rank(tensor))], 0)
    swapped = tf.transpose(tensor, order)
    swapped.set_shape([tensor.shape[1], tensor.shape[0], *tensor.shape[2:]])
    return swapped
