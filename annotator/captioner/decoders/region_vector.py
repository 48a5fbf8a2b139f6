"""One vector of all regions of an image, learned with what reads it."""

import typing

import keras
import tensorflow as tf

from annotator.captioner.decoders.decoder import Mask


@keras.saving.register_keras_serializable(package="annotator")
class RegionVector(keras.layers.Layer):
    """A vector of locally aggregated descriptors whose codebook is learned.

    Regions x are projected to d channels and shared out among K centers c_k:

        a_k(x) = softmax_k(w_k x + b_k),    v_k = sum_x a_k(x) (x - c_k)

    Each v_k is divided by its norm: what is rare in an image counts as much as what
    covers it, which a mean region does not tell. All together have the norm sqrt(d).

    Args:
        components: d, channels of the projected regions.
        codebook: K, number of centers.
        **kwargs: Of `keras.layers.Layer`.

    Attributes:
        width: K d, what the vector has.

    Call arguments:
        regions: `[B, R, D]`.
        region_mask: bool `[B, R]`, false for padding; by default there is none.

    Output shape:
        `[B, K * d]`.

    Reference: Arandjelović et al., NetVLAD: CNN architecture for weakly supervised
    place recognition, https://arxiv.org/abs/1511.07247.
    """

    def __init__(
        self, components: int = 64, codebook: int = 16, **kwargs: typing.Any
    ) -> None:
        # What must stay float32 is passed through; the rest is cast where used.
        super().__init__(autocast=False, **kwargs)
        self.components = components
        self.codebook = codebook
        self.width = components * codebook
        policy = self.dtype_policy
        self.projection = keras.layers.Dense(
            components, use_bias=False, dtype=policy, name="projection"
        )
        self.assignment = keras.layers.Dense(codebook, dtype=policy, name="assignment")

    def build(self, regions_shape: tuple) -> None:
        self.projection.build((None, None, regions_shape[-1]))
        self.assignment.build((None, None, self.components))
        self.centers = self.add_weight(
            shape=(self.codebook, self.components),
            initializer="glorot_uniform",
            name="centers",
        )
        self.built = True

    def call(self, regions: tf.Tensor, region_mask: Mask = None) -> tf.Tensor:
        regions = self.projection(tf.cast(regions, self.compute_dtype))  # [B, R, d]
        shares = tf.nn.softmax(tf.cast(self.assignment(regions), tf.float32))
        if region_mask is not None:
            shares *= tf.cast(region_mask, tf.float32)[..., None]
        # Sums over the regions are float32: there are hundreds.
        sums = tf.matmul(shares, tf.cast(regions, tf.float32), transpose_a=True)
        totals = tf.reduce_sum(shares, axis=1)[..., None]  # [B, K, 1]
        sums -= totals * tf.cast(self.centers, tf.float32)
        vector = tf.math.l2_normalize(sums, axis=-1, epsilon=1e-6)
        vector *= (self.components / self.codebook) ** 0.5
        return tf.cast(tf.reshape(vector, [-1, self.width]), self.compute_dtype)

    def get_config(self) -> dict:
        return {
            **super().get_config(),
            "components": self.components,
            "codebook": self.codebook,
        }
