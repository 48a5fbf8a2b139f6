"""The base of the decoders whose LSTMs look at the regions."""

import abc
import typing

import keras
import tensorflow as tf

from annotator.captioner.decoders.additive_attention import AdditiveAttention
from annotator.captioner.decoders.decoder import (
    Mask,
    Prepared,
    mean_region,
)
from annotator.captioner.decoders.embedding_decoder import EmbeddingDecoder
from annotator.captioner.decoders.lstm import LSTM
from annotator.captioner.decoders.region_vector import RegionVector
from annotator.captioner.decoders.rows import group_rows

# What the weights of feedback act on.
REWEIGHED = ("regions", "attention")
# What the initial states may see beside the mean region.
CONDITIONS = ("none", "vector")


class AttendingDecoder(EmbeddingDecoder):
    """Base class of decoders that are LSTMs with attention over the regions.

    The initial states are dense layers of the mean region, as in Show, Attend and
    Tell, or of the mean region and a `RegionVector`. Re-weighted regions have
    re-weighted keys, so `reweigh` projects no regions for the attention.

    A decoder's state is a tuple with a pair for each LSTM: hidden state `[N, H]` and
    float32 cell `[N, H]`. In `Prepared`, `keys` is a list with the keys of each
    attention.

    Feedback corrects what is seen by weights of regions, in one of two ways:

    - `"regions"`: the regions are multiplied by them, and so are their keys and the
      mean region, from which the initial states come;
    - `"attention"`: their logarithms are added to the scores of every attention, whose
      weights are then multiplied by them and brought back to a sum of 1.

    A subclass makes its layers with `_new_lstm`, `_new_attention` and
    `_new_initial_projection`, and keeps the last as `initial_projection`.

    Args:
        vocabulary_size: V, number of words.
        reweighs: What the weights of feedback act on, `"regions"` or `"attention"`.
        context_dropout: Rate of dropout on the contexts that attention finds.
        condition: What the initial states see beside the mean region: `"none"`, or
            `"vector"` for a `RegionVector`.
        **kwargs: See `EmbeddingDecoder`.

    Raises:
        ValueError: When `reweighs` or `condition` is none of these.
    """

    initial_projection: keras.layers.Dense

    def __init__(
        self,
        vocabulary_size: int,
        *,
        reweighs: str = "regions",
        context_dropout: float = 0.0,
        condition: str = "none",
        **kwargs: typing.Any,
    ) -> None:
        super().__init__(vocabulary_size, **kwargs)
        if reweighs not in REWEIGHED:
            raise ValueError(f"reweighs must be one of {REWEIGHED}, got {reweighs!r}.")
        if condition not in CONDITIONS:
            raise ValueError(
                f"condition={condition!r}: it must be one of {', '.join(CONDITIONS)}."
            )
        self.reweighs = reweighs
        self.context_dropout = context_dropout
        self.condition = condition
        self.context_dropout_layer = keras.layers.Dropout(
            context_dropout, dtype=self.dtype_policy, name="context_dropout"
        )
        self.region_vector = None
        if condition == "vector":
            self.region_vector = RegionVector(
                dtype=self.dtype_policy, name="region_vector"
            )

    def get_config(self) -> dict:
        return {
            **super().get_config(),
            "reweighs": self.reweighs,
            "context_dropout": self.context_dropout,
            "condition": self.condition,
        }

    @abc.abstractmethod
    def attention_layers(self) -> list[AdditiveAttention]:
        """The attentions, in the order in which they look.

        Returns:
            `attending_layers` of them.
        """

    def prepare(self, regions: tf.Tensor, region_mask: Mask = None) -> Prepared:
        regions = tf.cast(regions, self.compute_dtype)
        keys = [attention.project(regions) for attention in self.attention_layers()]
        return self._prepared(regions, keys, region_mask)

    def reweigh(self, prepared: Prepared, region_weights: tf.Tensor) -> Prepared:
        if self.reweighs == "attention":
            return {**prepared, "score_bias": _log(region_weights)[:, None]}
        factors = region_weights[..., None]
        regions = prepared["regions"] * tf.cast(factors, self.compute_dtype)
        keys = [keys * factors for keys in prepared["keys"]]
        return self._prepared(regions, keys, prepared["region_mask"])

    def _prepared(self, regions, keys, region_mask):
        return {
            "regions": regions,
            "keys": keys,
            "region_mask": region_mask,
            "score_bias": None,
            "initial": self._initial(regions, region_mask),
        }

    def _initial(self, regions, region_mask):
        """The state before the first word."""
        summary = mean_region(regions, region_mask)
        if self.region_vector is not None:
            vector = self.region_vector(regions, region_mask)
            summary = tf.concat([summary, vector], axis=-1)
        states = self.initial_projection(summary)
        states = tf.split(states, states.shape[-1] // self.units, axis=-1)
        # Cells are float32, see `LSTM`.
        return tuple(
            (states[i], tf.cast(states[i + 1], tf.float32))
            for i in range(0, len(states), 2)
        )

    def _attend(
        self,
        layer: int,
        queries: tf.Tensor,
        prepared: Prepared,
        region_weights: tf.Tensor | None = None,
    ) -> tuple[tf.Tensor, tf.Tensor]:
        """What attention number `layer` finds for Q queries of each image.

        Args:
            layer: Index of one of `attention_layers`.
            queries: `[B, Q, H]`.
            prepared: From `prepare`, for B images.
            region_weights: `[B, Q, R]` or None.

        Returns:
            Context `[B, Q, D]` and attention weights `[B, Q, R]`.
        """
        score_bias = prepared["score_bias"]
        if region_weights is not None and self.reweighs == "attention":
            score_bias, region_weights = _log(region_weights), None
        return self.attention_layers()[layer](
            queries,
            prepared["keys"][layer],
            prepared["regions"],
            region_mask=prepared["region_mask"],
            region_weights=region_weights,
            score_bias=score_bias,
        )

    def _attend_rows(
        self,
        layer: int,
        hidden: tf.Tensor,
        prepared: Prepared,
        region_weights: tf.Tensor | None = None,
    ) -> tuple[tf.Tensor, tf.Tensor]:
        """`_attend` for N rows, the N / B rows of an image in succession.

        Args:
            layer: Index of one of `attention_layers`.
            hidden: `[N, H]`.
            prepared: From `prepare`, for B images.
            region_weights: `[N, R]` or None.

        Returns:
            Context `[N, D]` and attention weights `[N, R]`.
        """
        images = tf.shape(prepared["regions"])[0]
        if region_weights is not None:
            region_weights = group_rows(region_weights, images)
        context, weights = self._attend(
            layer, group_rows(hidden, images), prepared, region_weights
        )
        context = tf.reshape(context, [-1, context.shape[-1]])
        return context, tf.reshape(weights, [-1, tf.shape(weights)[-1]])

    def _build_initial(self, width):
        """Builds `initial_projection` and what it reads, for regions of that width."""
        self.context_dropout_layer.build((None, None, width))
        if self.region_vector is not None:
            self.region_vector.build((None, None, width))
            width += self.region_vector.width
        self.initial_projection.build((None, width))

    def _new_lstm(self, name):
        return LSTM(self.units, dtype=self.dtype_policy, name=name)

    def _new_attention(self, name):
        return AdditiveAttention(
            self.attention_units,
            jit_compile=self.jit_compile,
            dtype=self.dtype_policy,
            name=name,
        )

    def _new_initial_projection(self, lstms):
        """The dense layer of the initial states of that many LSTMs."""
        return keras.layers.Dense(
            2 * lstms * self.units,
            activation="tanh",
            dtype=self.dtype_policy,
            name="initial_projection",
        )


def _log(weights):
    # Of a region that is masked the weight is 0; its score is masked, too.
    return tf.math.log(tf.maximum(weights, 1e-30))
