"""The interface of the caption decoders."""

import abc
import typing

import keras
import tensorflow as tf

# What a decoder makes of B images' regions, see `Decoder.prepare`.
Prepared: typing.TypeAlias = dict[str, typing.Any]
# The state of N captions between two words: nested tuples of tensors `[N, ...]`.
State: typing.TypeAlias = typing.Any
# bool `[B, R]`, false for padding regions.
Mask: typing.TypeAlias = tf.Tensor | None


class Decoder(keras.layers.Layer, abc.ABC):
    """Base class of the networks that turn regions into word probabilities.

    A decoder is used in two ways that must agree: over whole captions for training
    (`call`) and word by word for decoding (`prepare`, then `step`). What depends on
    the image alone is computed once by `prepare` and shared by the C captions, or
    the beams, of that image.

    A subclass writes `build`, `prepare`, `states`, `step_states` and `logits`; one with
    word vectors of its own derives from `EmbeddingDecoder`, which has the last of them.

    Args:
        vocabulary_size: V, number of words.
        units: H, width of the hidden states from which words are predicted.
        **kwargs: Of `keras.layers.Layer`.

    Attributes:
        attending_layers: L, how many layers attend to the regions.

    Call arguments:
        regions: `[B, R, D]`.
        tokens: Integers `[B, C, T]`, the words read, from `<start>` on. The logits
            at t predict the word after `tokens[..., t]`.
        region_mask: bool `[B, R]`, false for padding; by default there is none.
        training: Whether dropout is on.
        return_attention: Whether attention weights are returned, too.

    Output shape:
        float32 logits `[B, C, T, V]`; with `return_attention` also the float32
        attention weights `[B, C, T, L, R]` of the L attending layers.
    """

    attending_layers: int = 0

    def __init__(
        self, vocabulary_size: int, units: int = 512, **kwargs: typing.Any
    ) -> None:
        # What must stay float32 is passed through; the rest is cast where used.
        super().__init__(autocast=False, **kwargs)
        self.vocabulary_size = vocabulary_size
        self.units = units

    @abc.abstractmethod
    def prepare(self, regions: tf.Tensor, region_mask: Mask = None) -> Prepared:
        """What depends on the image alone.

        Args:
            regions: `[B, R, D]`.
            region_mask: bool `[B, R]`, false for padding; by default there is none.

        Returns:
            A dict of tensors with B rows: `regions`, `region_mask`, `initial`, which
            is the state before the first word, and whatever else the decoder needs.
        """

    def reweigh(self, prepared: Prepared, region_weights: tf.Tensor) -> Prepared:
        """`prepare` of regions that are multiplied by weights.

        Decoders that project the regions do it cheaper, by weighing the projections.

        Args:
            prepared: From `prepare`, for B images.
            region_weights: float32 `[B, R]`.

        Returns:
            The dict of `prepare`.
        """
        factors = tf.cast(region_weights, self.compute_dtype)[..., None]
        return self.prepare(prepared["regions"] * factors, prepared["region_mask"])

    @abc.abstractmethod
    def states(
        self,
        prepared: Prepared,
        tokens: tf.Tensor,
        region_weights: tf.Tensor | None = None,
        training: bool = False,
    ) -> dict[str, tf.Tensor]:
        """The states over known captions.

        Args:
            prepared: From `prepare`, for B images.
            tokens: Integers `[B, C, T]`.
            region_weights: float32 `[B, C, T, R]`, factors of the regions that change
                from word to word; none by default.
            training: Whether dropout is on.

        Returns:
            A dict: `hidden` `[B, C, T, H]` from which the words are predicted and
            `attention_weights` float32 `[B, C, T, L, R]`. May hold more for
            `auxiliary_loss`.
        """

    @abc.abstractmethod
    def step_states(
        self,
        tokens: tf.Tensor,
        state: State,
        prepared: Prepared,
        region_weights: tf.Tensor | None = None,
    ) -> tuple[tf.Tensor, State, tf.Tensor]:
        """One step of N rows, the N / B rows of an image in succession.

        Args:
            tokens: Integers `[N]`.
            state: Nested tuple of tensors `[N, ...]`.
            prepared: From `prepare`, for B images.
            region_weights: float32 `[N, R]`, factors of the regions; none by default.

        Returns:
            Hidden states `[N, H]`, the new state, attention weights `[N, L, R]`.
        """

    def auxiliary_loss(
        self,
        states: dict[str, tf.Tensor],
        word_log_probs: tf.Tensor,
        real: tf.Tensor,
        training: bool = False,
    ) -> tf.Tensor | float:
        """A loss beside the cross entropy, summed over captions; 0 for most.

        Args:
            states: From `states`.
            word_log_probs: Log probability of the reference words `[B, C, T]`.
            real: bool `[B, C, T]`, where there is a word.
            training: Whether the decoder learns from it.

        Returns:
            A float32 scalar.
        """
        return 0.0

    def call(
        self,
        regions: tf.Tensor,
        tokens: tf.Tensor,
        region_mask: Mask = None,
        training: bool = False,
        return_attention: bool = False,
    ) -> tf.Tensor | tuple[tf.Tensor, tf.Tensor]:
        prepared = self.prepare(regions, region_mask)
        states = self.states(prepared, tokens, training=training)
        logits = self.logits(states["hidden"], training=training)
        if return_attention:
            return logits, states["attention_weights"]
        return logits

    def step(
        self, tokens: tf.Tensor, state: State, prepared: Prepared
    ) -> tuple[tf.Tensor, State, tf.Tensor]:
        """One step as of `step_states`, up to the logits.

        Args:
            tokens: Integers `[N]`.
            state: Nested tuple of tensors `[N, ...]`.
            prepared: From `prepare`, for B images.

        Returns:
            Logits `[N, V]` of the next word, the new state, attention weights
            `[N, L, R]`.
        """
        hidden, state, attention = self.step_states(tokens, state, prepared)
        return self.logits(hidden), state, attention

    @abc.abstractmethod
    def logits(self, hidden: tf.Tensor, training: bool = False) -> tf.Tensor:
        """The logits of the words that hidden states predict.

        Args:
            hidden: `[..., H]`.
            training: Whether dropout is on.

        Returns:
            float32 `[..., V]`.
        """

    def get_config(self) -> dict:
        return {
            **super().get_config(),
            "vocabulary_size": self.vocabulary_size,
            "units": self.units,
        }


def mean_region(regions: tf.Tensor, region_mask: Mask = None) -> tf.Tensor:
    """The mean of the regions that are not padding.

    Args:
        regions: `[B, R, D]`.
        region_mask: bool `[B, R]`, false for padding; by default there is none.

    Returns:
        `[B, D]`, of the dtype of the regions.
    """
    if region_mask is None:
        return tf.reduce_mean(regions, axis=1)
    shares = tf.cast(region_mask, tf.float32)
    shares /= tf.maximum(tf.reduce_sum(shares, axis=1, keepdims=True), 1.0)
    return tf.reduce_sum(regions * tf.cast(shares, regions.dtype)[..., None], axis=1)


def no_attention(shape: tf.Tensor | list, prepared: Prepared) -> tf.Tensor:
    """The attention weights of decoders that have none.

    Args:
        shape: Integers, the shape of the tokens.
        prepared: From `Decoder.prepare`.

    Returns:
        float32 `[*shape, 0, R]`.
    """
    regions = tf.shape(prepared["regions"])[1]
    return tf.zeros([*tf.unstack(shape), 0, regions])
