"""What all caption decoders share: words in, logits out, and one interface."""

import abc
import typing

import keras
import tensorflow as tf

# What a decoder makes of B images' regions, see `Decoder.prepare`.
Prepared = dict[str, typing.Any]
# bool `[B, R]`, false for padding regions.
Mask = tf.Tensor | None


class Decoder(keras.layers.Layer, abc.ABC):
    """Base class of the networks that turn regions into word probabilities.

    A decoder is used in two ways that must agree: over whole captions for training
    (`call`) and word by word for decoding (`prepare`, then `step`). What depends on
    the image alone is computed once by `prepare` and shared by the C captions, or
    the beams, of that image.

    A subclass writes `prepare`, `states` and `step_states`.

    Args:
        vocabulary_size: V, number of words.
        units: H, width of the recurrent states.
        embedding_units: E, width of the word vectors; `units` by default.
        attention_units: A, width of the additive attention.
        dropout: rate on word vectors and on the output of every layer.
        tied: whether the word vectors are also the output weights (Press and Wolf,
            https://arxiv.org/abs/1608.05859).
        jit_compile: whether XLA compiles the attention scores.

    Call arguments:
        regions: `[B, R, D]`.
        tokens: integers `[B, C, T]`, the words read, from `<start>` on. The logits
            at t predict the word after `tokens[..., t]`.
        region_mask: bool `[B, R]`, False for padding regions.

    Output shapes:
        float32 logits `[B, C, T, V]`; with `return_attention` also the float32
        attention weights `[B, C, T, L, R]` of the L attending layers.
    """

    attending_layers = 0

    def __init__(
        self,
        vocabulary_size,
        units=512,
        embedding_units=None,
        attention_units=512,
        dropout=0.0,
        tied=False,
        jit_compile=True,
        **kwargs,
    ):
        # What must stay float32 is passed through; the rest is cast where used.
        super().__init__(autocast=False, **kwargs)
        self.vocabulary_size = vocabulary_size
        self.units = units
        self.embedding_units = embedding_units or units
        self.attention_units = attention_units
        self.dropout = dropout
        self.tied = tied
        self.jit_compile = jit_compile
        layer = {"dtype": self.dtype_policy}
        self.embedding = keras.layers.Embedding(
            vocabulary_size, self.embedding_units, name="embedding", **layer
        )
        self.dropout_layer = keras.layers.Dropout(dropout, name="dropout", **layer)
        self.bridge = None
        if tied and self.embedding_units != units:
            self.bridge = keras.layers.Dense(
                self.embedding_units, use_bias=False, name="bridge", **layer
            )
        self.output_projection = None
        if not tied:
            self.output_projection = keras.layers.Dense(
                vocabulary_size, name="output_projection", **layer
            )

    def build(self, regions_shape):
        self.embedding.build((None, None))
        self.dropout_layer.build((None, None, None))
        width = self.units
        if self.bridge is not None:
            self.bridge.build((None, width))
        if self.output_projection is not None:
            self.output_projection.build((None, width))
        else:
            self.output_bias = self.add_weight(
                shape=(self.vocabulary_size,),
                initializer="zeros",
                autocast=False,  # the logits are float32
                name="output_bias",
            )
        self.build_layers(regions_shape)
        self.built = True

    @abc.abstractmethod
    def build_layers(self, regions_shape):
        """Builds the layers of the subclass for regions `[B, R, D]`."""

    @abc.abstractmethod
    def prepare(self, regions, region_mask=None):
        """What depends on the image alone.

        Args:
            regions: `[B, R, D]`.
            region_mask: bool `[B, R]` or None.

        Returns:
            A dict of tensors with B rows. `initial` is the state before the first
            word, a tuple of tensors `[B, ...]`.
        """

    def reweigh(self, prepared, region_weights):
        """`prepare` of regions multiplied by `region_weights` `[B, R]`.

        Decoders that project the regions do it cheaper, by weighing the projections.
        """
        factors = tf.cast(region_weights, self.compute_dtype)[..., None]
        return self.prepare(prepared["regions"] * factors, prepared["region_mask"])

    @abc.abstractmethod
    def states(self, prepared, tokens, region_weights=None, training=False):
        """The states over known captions.

        Args:
            prepared: from `prepare`, for B images.
            tokens: integers `[B, C, T]`.
            region_weights: `[B, C, T, R]` or None, factors of the regions that
                change from word to word.

        Returns:
            A dict: `hidden` `[B, C, T, H]` from which the words are predicted and
            `attention_weights` float32 `[B, C, T, L, R]`. May hold more for
            `auxiliary_loss`.
        """

    @abc.abstractmethod
    def step_states(self, tokens, state, prepared, region_weights=None):
        """One step of N rows, the N / B rows of an image in succession.

        Args:
            tokens: integers `[N]`.
            state: tuple of tensors `[N, ...]`.
            prepared: from `prepare`, for B images.
            region_weights: `[N, R]` or None.

        Returns:
            hidden `[N, H]`, the new state, attention weights `[N, L, R]`.
        """

    def auxiliary_loss(self, states, word_log_probs, real, training=False):
        """A loss beside the cross entropy, summed over captions; 0 for most.

        Args:
            states: from `states`.
            word_log_probs: log probability of the reference words `[B, C, T]`.
            real: bool `[B, C, T]`, where there is a word.
        """
        return 0.0

    def call(
        self, regions, tokens, region_mask=None, training=False, return_attention=False
    ):
        prepared = self.prepare(regions, region_mask)
        states = self.states(prepared, tokens, training=training)
        logits = self.logits(states["hidden"], training=training)
        if return_attention:
            return logits, states["attention_weights"]
        return logits

    def step(self, tokens, state, prepared):
        """Logits `[N, V]` of the next word, state, attention; see `step_states`."""
        hidden, state, attention = self.step_states(tokens, state, prepared)
        return self.logits(hidden), state, attention

    def logits(self, hidden, training=False):
        """float32 logits `[..., V]` of hidden states `[..., H]`."""
        hidden = self.dropout_layer(hidden, training=training)
        if not self.tied:
            return tf.cast(self.output_projection(hidden), tf.float32)
        if self.bridge is not None:
            hidden = self.bridge(hidden)
        words = tf.cast(self.embedding.embeddings, hidden.dtype)
        flat = tf.reshape(hidden, [-1, self.embedding_units])
        logits = tf.cast(tf.matmul(flat, words, transpose_b=True), tf.float32)
        logits += tf.cast(self.output_bias, tf.float32)
        shape = tf.concat([tf.shape(hidden)[:-1], [self.vocabulary_size]], 0)
        return tf.reshape(logits, shape)

    def embed(self, tokens, training=False):
        """Word vectors `[..., E]` of ids `[...]`."""
        return self.dropout_layer(self.embedding(tokens), training=training)

    def get_config(self):
        return {
            **super().get_config(),
            "vocabulary_size": self.vocabulary_size,
            "units": self.units,
            "embedding_units": self.embedding_units,
            "attention_units": self.attention_units,
            "dropout": self.dropout,
            "tied": self.tied,
            "jit_compile": self.jit_compile,
        }


def mean_region(regions, region_mask=None):
    """The mean `[B, D]` of the regions that are not padding."""
    if region_mask is None:
        return tf.reduce_mean(regions, axis=1)
    shares = tf.cast(region_mask, tf.float32)
    shares /= tf.maximum(tf.reduce_sum(shares, axis=1, keepdims=True), 1.0)
    return tf.reduce_sum(regions * tf.cast(shares, regions.dtype)[..., None], axis=1)


def no_attention(shape, prepared):
    """The attention weights `[*shape, 0, R]` of decoders that have none."""
    return tf.zeros([*tf.unstack(shape), 0, tf.shape(prepared["regions"])[1]])


def repeat_rows(tensors, count):
    """Each of the B rows `count` times in succession: `[B, ...]` to `[B * count, ...]`.

    The order of the C captions or beams of an image in everything of N rows.
    """
    return tf.nest.map_structure(lambda x: tf.repeat(x, count, axis=0), tensors)


def group_rows(tensor, prepared_rows):
    """Rows `[N, ...]` by their image: `[B, N / B, ...]`."""
    return tf.reshape(tensor, tf.concat([[prepared_rows, -1], tensor.shape[1:]], 0))
