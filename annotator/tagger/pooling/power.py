"""Powers of descriptors: what a network is loudest about does not drown the rest."""

from typing import Any

import keras
import tensorflow as tf
from keras import ops


@keras.saving.register_keras_serializable(package="annotator")
class SignedPower(keras.layers.Layer):
    """The power of each number's size; a negative number keeps its sign.

    What a ReLU leaves is mostly 0 and else up to 90 deviations away from its mean: at
    0.5 no descriptor outshouts the others.

    Args:
        power: The power, positive.

    Call arguments:
        descriptors: Float `[batch, regions, D]`.

    Output shape:
        float32 of the same shape.

    Raises:
        ValueError: When the power is not positive.

    Source: Perronnin et al., "Improving the Fisher kernel for large-scale image
    classification", ECCV 2010 (of the pooled vector there).
    """

    def __init__(self, power: float, **kwargs: Any) -> None:
        super().__init__(**{**kwargs, "dtype": "float32", "trainable": False})
        if power <= 0:
            raise ValueError(f"power must be positive, got {power}.")
        self.power = power

    def call(self, descriptors: tf.Tensor) -> tf.Tensor:
        return ops.sign(descriptors) * ops.power(ops.abs(descriptors), self.power)

    def compute_output_spec(self, descriptors: keras.KerasTensor) -> keras.KerasTensor:
        return keras.KerasTensor(descriptors.shape, "float32")

    def get_config(self) -> dict[str, Any]:
        return {**super().get_config(), "power": self.power}
