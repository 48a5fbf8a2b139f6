"""The stacked attention LSTM: each layer looks where the one below points."""

import typing

import keras
import tensorflow as tf

from annotator.captioner.decoders.additive_attention import AdditiveAttention
from annotator.captioner.decoders.attending import AttendingDecoder
from annotator.captioner.decoders.decoder import Prepared, State
from annotator.captioner.decoders.rows import repeat_rows


@keras.saving.register_keras_serializable(package="annotator")
class StackedDecoder(AttendingDecoder):
    """k LSTM layers, of which all but the first attend to the regions.

    Layer 1 reads the words. Layer j >= 2 reads the hidden state of layer j - 1 and
    the context that this state selects from the regions, with attention weights of
    its own. The last layer predicts the next word. The initial states are dense
    layers of the mean region, as in Show, Attend and Tell.

    Since layer j depends on the sequence of layer j - 1 and not on its own past
    attention, known captions run layer by layer: an LSTM over all words, then one
    attention over all words, and so on.

    Args:
        vocabulary_size: V, number of words.
        layers: k, from 2 to 6. (`SoftDecoder` is the case k = 1.)
        **kwargs: See `AttendingDecoder`.

    Raises:
        ValueError: When `layers` is out of range.

    Reference: Deng et al., Deep image annotation model based on attention feedback
    mechanism.
    """

    def __init__(
        self, vocabulary_size: int, layers: int = 4, **kwargs: typing.Any
    ) -> None:
        super().__init__(vocabulary_size, **kwargs)
        if not 2 <= layers <= 6:
            raise ValueError(
                f"layers={layers}, but a stacked decoder has 2 to 6. One layer with "
                "attention is the decoder 'soft', one without is 'nic'."
            )
        self.layers = layers
        self.attending_layers = layers - 1
        self.lstms = [self._new_lstm(f"lstm_{i}") for i in range(1, layers + 1)]
        self.attentions = [
            self._new_attention(f"attention_{i}") for i in range(2, layers + 1)
        ]
        self.initial_projection = self._new_initial_projection(lstms=layers)

    def build_layers(self, regions_shape: tuple) -> None:
        width = regions_shape[-1]
        self.lstms[0].build((None, None, self.embedding_units))
        for lstm, attention in zip(self.lstms[1:], self.attentions, strict=True):
            attention.build((None, None, self.units), (None, None, width))
            lstm.build((None, None, self.units + width))
        self._build_initial(width)

    def attention_layers(self) -> list[AdditiveAttention]:
        return self.attentions

    def states(
        self,
        prepared: Prepared,
        tokens: tf.Tensor,
        region_weights: tf.Tensor | None = None,
        training: bool = False,
    ) -> dict[str, tf.Tensor]:
        b, c, t = tf.unstack(tf.shape(tokens))
        initial = repeat_rows(prepared["initial"], c)
        if region_weights is not None:
            region_weights = tf.reshape(
                region_weights, [b, c * t, region_weights.shape[-1]]
            )
        inputs = self.embed(tf.reshape(tokens, [b * c, t]), training)
        hidden = self.lstms[0](inputs, initial[0])
        all_weights = []
        for i, lstm in enumerate(self.lstms[1:]):
            hidden = self.dropout_layer(hidden, training=training)
            queries = tf.reshape(hidden, [b, c * t, self.units])
            context, weights = self._attend(i, queries, prepared, region_weights)
            context = self.context_dropout_layer(context, training=training)
            all_weights.append(tf.reshape(weights, [b, c, t, tf.shape(weights)[-1]]))
            context = tf.reshape(context, [b * c, t, context.shape[-1]])
            hidden = lstm(tf.concat([hidden, context], axis=-1), initial[i + 1])
        return {
            "hidden": tf.reshape(hidden, [b, c, t, self.units]),
            "attention_weights": tf.stack(all_weights, axis=3),
        }

    def step_states(
        self,
        tokens: tf.Tensor,
        state: State,
        prepared: Prepared,
        region_weights: tf.Tensor | None = None,
    ) -> tuple[tf.Tensor, State, tf.Tensor]:
        pairs = [self.lstms[0].step(self.embed(tokens), state[0])]
        all_weights = []
        for i, lstm in enumerate(self.lstms[1:]):
            hidden, _ = pairs[-1]
            context, weights = self._attend_rows(i, hidden, prepared, region_weights)
            all_weights.append(weights)
            pairs.append(lstm.step(tf.concat([hidden, context], -1), state[i + 1]))
        return pairs[-1][0], tuple(pairs), tf.stack(all_weights, axis=1)

    def get_config(self) -> dict:
        return {**super().get_config(), "layers": self.layers}
