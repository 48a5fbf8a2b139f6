"""The score of a region against a text as one number, as the paper prints it."""

import typing

import keras
import tensorflow as tf

from annotator.captioner.decoders.decoder import Mask


@keras.saving.register_keras_serializable(package="annotator")
class ScalarScore(keras.layers.Layer):
    """Weighs image regions by `softmax_i(tanh(W_v v_i + W_s s))`.

    `W_v` and `W_s` are rows, so that the score is a scalar between -1 and 1 and the
    weights of two regions differ by a factor of at most e^2. It has the methods of
    `AdditiveAttention` that feedback calls.

    Args:
        **kwargs: Of `keras.layers.Layer`.

    Reference: Deng et al., Deep image annotation model based on attention feedback
    mechanism.
    """

    def __init__(self, **kwargs: typing.Any) -> None:
        # What must stay float32 is passed through; the rest is cast where used.
        super().__init__(autocast=False, **kwargs)
        self.region_projection = keras.layers.Dense(
            1, use_bias=False, dtype=self.dtype_policy, name="region_projection"
        )
        self.text_projection = keras.layers.Dense(
            1, use_bias=False, dtype=self.dtype_policy, name="text_projection"
        )

    def build(self, texts_shape: tuple, regions_shape: tuple) -> None:
        self.region_projection.build(regions_shape)
        self.text_projection.build(texts_shape)
        self.built = True

    def project(self, regions: tf.Tensor) -> tf.Tensor:
        """`W_v v_i`, needed once an image.

        Args:
            regions: `[B, R, D]`.

        Returns:
            float32 `[B, R, 1]`.
        """
        return tf.cast(self.region_projection(regions), tf.float32)

    def attention_weights(
        self, texts: tf.Tensor, keys: tf.Tensor, region_mask: Mask = None
    ) -> tf.Tensor:
        """The weights of the regions, whose sum is 1.

        Args:
            texts: The features s of Q texts of each image, `[B, Q, H]`.
            keys: From `project`.
            region_mask: bool `[B, R]`, false for padding; by default there is none.

        Returns:
            float32 `[B, Q, R]`.
        """
        projected = tf.cast(self.text_projection(texts), tf.float32)  # [B, Q, 1]
        scores = tf.tanh(projected + tf.transpose(keys, [0, 2, 1]))
        if region_mask is not None:
            scores = tf.where(region_mask[:, None], scores, scores.dtype.min)
        return tf.nn.softmax(scores)
