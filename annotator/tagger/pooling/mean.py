"""Mean pooling: the average descriptor of an image."""

from typing import Any

import keras
import tensorflow as tf
from keras import ops

from annotator.tagger.pooling.vlad import unit_length


@keras.saving.register_keras_serializable(package="annotator")
class MeanPooling(keras.layers.Layer):
    """The mean of an image's descriptors, by its signed square root at unit length.

    Call arguments:
        descriptors: Float `[batch, regions, n]`.

    Output shape:
        float32 `[batch, n]`, computed in float64.

    Source: Perronnin et al., "Improving the Fisher kernel for large-scale image
    classification", ECCV 2010 (the normalization).
    """

    def __init__(self, **kwargs: Any) -> None:
        super().__init__(**{**kwargs, "dtype": "float64"})

    def call(self, descriptors: tf.Tensor) -> tf.Tensor:
        means = ops.mean(descriptors, axis=1)
        roots = ops.sign(means) * ops.sqrt(ops.abs(means))
        return ops.cast(unit_length(roots), "float32")

    def compute_output_spec(self, descriptors: keras.KerasTensor) -> keras.KerasTensor:
        shape = (descriptors.shape[0], descriptors.shape[-1])
        return keras.KerasTensor(shape, "float32")
