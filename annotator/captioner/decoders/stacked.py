"""The stacked attention LSTM: each layer looks where the one below points."""

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
class StackedDecoder(Decoder):
    """k LSTM layers, of which all but the first attend to the regions.

    Layer 1 reads the words. Layer j >= 2 reads the hidden state of layer j - 1 and
    the context that this state selects from the regions, with attention weights of
    its own. The last layer predicts the next word. The initial states are dense
    layers of the mean region, as in Show, Attend and Tell.

    Since layer j depends on the sequence of layer j - 1 and not on its own past
    attention, known captions run layer by layer: an LSTM over all words, then one
    attention over all words, and so on.

    Args:
        layers: k, from 2 to 6. (`SoftDecoder` is the case k = 1.)
        **kwargs: see `Decoder`.

    Reference: Deng et al., Deep image annotation model based on attention feedback
    mechanism.
    """

    def __init__(self, vocabulary_size, layers=4, **kwargs):
        super().__init__(vocabulary_size, **kwargs)
        if not 2 <= layers <= 6:
            raise ValueError(
                f"layers={layers}, but a stacked decoder has 2 to 6. One layer with "
                "attention is the decoder 'soft', one without is 'nic'."
            )
        self.layers = layers
        self.attending_layers = layers - 1
        policy = self.dtype_policy
        self.lstms = [
            LSTM(self.units, dtype=policy, name=f"lstm_{i + 1}") for i in range(layers)
        ]
        self.attentions = [
            AdditiveAttention(
                self.attention_units,
                jit_compile=self.jit_compile,
                dtype=policy,
                name=f"attention_{i + 2}",
            )
            for i in range(layers - 1)
        ]
        self.initial_projection = keras.layers.Dense(
            2 * layers * self.units,
            activation="tanh",
            dtype=policy,
            name="initial_projection",
        )

    def build_layers(self, regions_shape):
        width = regions_shape[-1]
        self.lstms[0].build((None, None, self.embedding_units))
        for lstm, attention in zip(self.lstms[1:], self.attentions, strict=True):
            attention.build((None, None, self.units), (None, None, width))
            lstm.build((None, None, self.units + width))
        self.initial_projection.build((None, width))

    def prepare(self, regions, region_mask=None):
        regions = tf.cast(regions, self.compute_dtype)
        return {
            "regions": regions,
            "keys": [attention.project(regions) for attention in self.attentions],
            "region_mask": region_mask,
            "initial": self._initial(regions, region_mask),
        }

    def reweigh(self, prepared, region_weights):
        factors = region_weights[..., None]
        regions = prepared["regions"] * tf.cast(factors, self.compute_dtype)
        return {
            "regions": regions,
            "keys": [keys * factors for keys in prepared["keys"]],
            "region_mask": prepared["region_mask"],
            "initial": self._initial(regions, prepared["region_mask"]),
        }

    def states(self, prepared, tokens, region_weights=None, training=False):
        b, c, t = tf.unstack(tf.shape(tokens))
        initial = repeat_rows(prepared["initial"], c)
        if region_weights is not None:
            region_weights = tf.reshape(
                region_weights, [b, c * t, region_weights.shape[-1]]
            )
        inputs = self.embed(tf.reshape(tokens, [b * c, t]), training)
        hidden = self.lstms[0](inputs, initial[:2])
        all_weights = []
        for i, attention in enumerate(self.attentions):
            hidden = self.dropout_layer(hidden, training=training)
            context, weights = attention(
                tf.reshape(hidden, [b, c * t, self.units]),
                prepared["keys"][i],
                prepared["regions"],
                region_mask=prepared["region_mask"],
                region_weights=region_weights,
            )
            all_weights.append(tf.reshape(weights, [b, c, t, tf.shape(weights)[-1]]))
            context = tf.reshape(context, [b * c, t, context.shape[-1]])
            inputs = tf.concat([hidden, context], axis=-1)
            hidden = self.lstms[i + 1](inputs, initial[2 * i + 2 : 2 * i + 4])
        return {
            "hidden": tf.reshape(hidden, [b, c, t, self.units]),
            "attention_weights": tf.stack(all_weights, axis=3),
        }

    def step_states(self, tokens, state, prepared, region_weights=None):
        images = tf.shape(prepared["regions"])[0]
        if region_weights is not None:
            region_weights = group_rows(region_weights, images)
        hidden, memory = self.lstms[0].step(self.embed(tokens), state[:2])
        new_state, all_weights = [hidden, memory], []
        for i, attention in enumerate(self.attentions):
            context, weights = attention(
                group_rows(hidden, images),
                prepared["keys"][i],
                prepared["regions"],
                region_mask=prepared["region_mask"],
                region_weights=region_weights,
            )
            all_weights.append(tf.reshape(weights, [-1, tf.shape(weights)[-1]]))
            context = tf.reshape(context, [-1, context.shape[-1]])
            hidden, memory = self.lstms[i + 1].step(
                tf.concat([hidden, context], axis=-1), state[2 * i + 2 : 2 * i + 4]
            )
            new_state += [hidden, memory]
        return hidden, tuple(new_state), tf.stack(all_weights, axis=1)

    def _initial(self, regions, region_mask):
        states = self.initial_projection(mean_region(regions, region_mask))
        states = tf.split(states, 2 * self.layers, axis=-1)
        # Memory cells are float32, see `LSTM`.
        return tuple(
            tf.cast(state, tf.float32) if i % 2 else state
            for i, state in enumerate(states)
        )

    def get_config(self):
        return {**super().get_config(), "layers": self.layers}
