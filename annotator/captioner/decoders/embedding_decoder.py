"""The base of the decoders that have word vectors and an output layer of their own."""

import abc
import typing

import keras
import tensorflow as tf

from annotator.captioner.decoders.decoder import Decoder


class EmbeddingDecoder(Decoder):
    """Base class of decoders that read word vectors and predict words by a last layer.

    A subclass writes `build_layers`, `prepare`, `states` and `step_states`.

    Args:
        vocabulary_size: V, number of words.
        units: H, width of the recurrent states.
        embedding_units: E, width of the word vectors; `units` by default.
        attention_units: A, width of the additive attention.
        dropout: Rate on word vectors and on the output of every layer.
        tied: Whether the word vectors are also the output weights (Press and Wolf,
            https://arxiv.org/abs/1608.05859).
        jit_compile: Whether XLA compiles the attention scores.
        **kwargs: Of `keras.layers.Layer`.
    """

    def __init__(
        self,
        vocabulary_size: int,
        units: int = 512,
        embedding_units: int | None = None,
        attention_units: int = 512,
        dropout: float = 0.0,
        tied: bool = False,
        jit_compile: bool = True,
        **kwargs: typing.Any,
    ) -> None:
        super().__init__(vocabulary_size, units, **kwargs)
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

    def build(self, regions_shape: tuple) -> None:
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
    def build_layers(self, regions_shape: tuple) -> None:
        """Builds the layers of the subclass.

        Args:
            regions_shape: Of the regions, `(None, None, D)`.
        """

    def logits(self, hidden: tf.Tensor, training: bool = False) -> tf.Tensor:
        hidden = self.dropout_layer(hidden, training=training)
        if self.output_projection is not None:
            return tf.cast(self.output_projection(hidden), tf.float32)
        if self.bridge is not None:
            hidden = self.bridge(hidden)
        words = tf.cast(self.embedding.embeddings, hidden.dtype)
        flat = tf.reshape(hidden, [-1, self.embedding_units])
        logits = tf.cast(tf.matmul(flat, words, transpose_b=True), tf.float32)
        logits += tf.cast(self.output_bias, tf.float32)
        shape = tf.concat([tf.shape(hidden)[:-1], [self.vocabulary_size]], 0)
        return tf.reshape(logits, shape)

    def embed(self, tokens: tf.Tensor, training: bool = False) -> tf.Tensor:
        """The vectors of words.

        Args:
            tokens: Integers `[...]`.
            training: Whether dropout is on.

        Returns:
            `[..., E]`.
        """
        return self.dropout_layer(self.embedding(tokens), training=training)

    def get_config(self) -> dict:
        return {
            **super().get_config(),
            "embedding_units": self.embedding_units,
            "attention_units": self.attention_units,
            "dropout": self.dropout,
            "tied": self.tied,
            "jit_compile": self.jit_compile,
        }
