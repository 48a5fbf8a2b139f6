"""Feature maps in half precision, as the last layer of a backbone."""

from typing import Any

import keras
import tensorflow as tf

# The largest finite half-precision number.
_HALF_MAX = 65504.0


@keras.saving.register_keras_serializable(package="annotator")
class HalfPrecision(keras.layers.Layer):
    """Feature maps as they are stored: float16, saturated at its largest number.

    Args:
        **kwargs: Keyword arguments of `keras.layers.Layer`.

    Call arguments:
        maps: `[batch, height, width, channels]`, any floating dtype.

    Output shape:
        float16, the shape of `maps`.
    """

    def __init__(self, **kwargs: Any) -> None:
        super().__init__(**{**kwargs, "dtype": "float16", "trainable": False})
        self.autocast = False

    def call(self, maps: tf.Tensor) -> tf.Tensor:
        maps = keras.ops.clip(keras.ops.cast(maps, "float32"), -_HALF_MAX, _HALF_MAX)
        return keras.ops.cast(maps, "float16")

    def compute_output_shape(
        self, input_shape: tuple[int | None, ...]
    ) -> tuple[int | None, ...]:
        return input_shape
