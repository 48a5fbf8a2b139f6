"""Several ways to pool an image's descriptors, side by side."""

from collections.abc import Sequence
from typing import Any

import keras
import tensorflow as tf
from keras import ops


@keras.saving.register_keras_serializable(package="annotator")
class JoinedPooling(keras.layers.Layer):
    """The vectors of several poolings of the same descriptors, one after the other.

    Args:
        parts: The layers, each from `[batch, regions, n]` to a vector.

    Call arguments:
        descriptors: Projected descriptors, float `[batch, regions, n]`.

    Output shape:
        float32 `[batch, d]`, where d is the sum of the lengths.
    """

    def __init__(self, parts: Sequence[keras.layers.Layer], **kwargs: Any) -> None:
        super().__init__(**{**kwargs, "dtype": "float64"})
        self.parts = list(parts)

    def build(self, input_shape: tuple) -> None:
        for part in self.parts:
            if not part.built:
                part.build(input_shape)

    def call(self, descriptors: tf.Tensor) -> tf.Tensor:
        vectors = [part(descriptors) for part in self.parts]
        return ops.cast(ops.concatenate(vectors, axis=-1), "float32")

    def compute_output_spec(self, descriptors: keras.KerasTensor) -> keras.KerasTensor:
        specs = [part.compute_output_spec(descriptors) for part in self.parts]
        length = sum(spec.shape[-1] for spec in specs)
        return keras.KerasTensor((descriptors.shape[0], length), "float32")

    def get_config(self) -> dict[str, Any]:
        parts = [keras.saving.serialize_keras_object(part) for part in self.parts]
        return {**super().get_config(), "parts": parts}

    @classmethod
    def from_config(cls, config: dict[str, Any]) -> "JoinedPooling":
        parts = [
            keras.saving.deserialize_keras_object(part) for part in config["parts"]
        ]
        return cls(**{**config, "parts": parts})
