"""Powers of descriptors, as a layer."""

from typing import Any

import keras
import tensorflow as tf

from annotator.keras_support.powers import signed_power


@keras.saving.register_keras_serializable(package="annotator")
class SignedPower(keras.layers.Layer):
    """The power of each number's size, see `signed_power`.

    Args:
        power: The power, positive.

    Call arguments:
        descriptors: Float `[batch, regions, D]`.

    Output shape:
        float32 of the same shape.

    Raises:
        ValueError: When the power is not positive.
    """

    def __init__(self, power: float, **kwargs: Any) -> None:
        super().__init__(**{**kwargs, "dtype": "float32", "trainable": False})
        if power <= 0:
            raise ValueError(f"power must be positive, got {power}.")
        self.power = power

    def call(self, descriptors: tf.Tensor) -> tf.Tensor:
        return signed_power(tf.cast(descriptors, tf.float32), self.power)

    def compute_output_spec(self, descriptors: keras.KerasTensor) -> keras.KerasTensor:
        return keras.KerasTensor(descriptors.shape, "float32")

    def get_config(self) -> dict[str, Any]:
        return {**super().get_config(), "power": self.power}
