"""Normalization of pixels, as the first layer of a backbone."""

from typing import Any

import keras
import tensorflow as tf


@keras.saving.register_keras_serializable(package="annotator")
class PixelNormalization(keras.layers.Layer):
    """RGB pixels 0 to 255 as a network of `keras.applications` was trained on.

    Args:
        mode: `"caffe"` (BGR, ImageNet means subtracted), `"tf"` (-1 to 1), `"torch"`
            (ImageNet means and deviations), or `None` (the network does it itself).
        **kwargs: Keyword arguments of `keras.layers.Layer`.

    Call arguments:
        pixels: `[batch, height, width, 3]`, RGB, 0 to 255.

    Output shape:
        float32 `[batch, height, width, 3]`.
    """

    def __init__(self, mode: str | None, **kwargs: Any) -> None:
        # Means are subtracted in float32 whatever the network computes in.
        super().__init__(**{**kwargs, "dtype": "float32", "trainable": False})
        self.mode = mode

    def call(self, pixels: tf.Tensor) -> tf.Tensor:
        if self.mode is None:
            return pixels
        return keras.applications.imagenet_utils.preprocess_input(
            pixels, data_format="channels_last", mode=self.mode
        )

    def compute_output_shape(
        self, input_shape: tuple[int | None, ...]
    ) -> tuple[int | None, ...]:
        return input_shape

    def get_config(self) -> dict[str, Any]:
        return {**super().get_config(), "mode": self.mode}
