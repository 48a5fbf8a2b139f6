"""Second-order pooling: how an image's descriptors vary together, as one vector."""

from typing import Any

import keras
import numpy as np
import tensorflow as tf
from keras import ops

from annotator.keras_support.gradients import custom_gradient
from annotator.tagger.pooling.vlad import unit_length

# Of the largest root: where two add up to less, they are rounding errors.
_SMALLEST = 1e-6


@custom_gradient
def matrix_square_root(matrices: tf.Tensor) -> tf.Tensor:
    """The square root of symmetric matrices without negative eigenvalues.

    By eigenvalues; those that rounding made negative count as 0. The gradient X of
    the loss by the matrix solves `R X + X R = G`, where R is the root and G the
    gradient by it: it divides by sums of roots, and not, as that of the eigenvectors
    does, by differences of eigenvalues, so equal ones are no harm. Where two roots are
    0, which the root has no derivative for, it is 0.

    Args:
        matrices: Float `[..., n, n]`.

    Returns:
        The roots, of the same shape and type.

    Source: Li et al., "Is second-order information helpful for large-scale visual
    recognition?", ICCV 2017; Lin and Maji, "Improved bilinear pooling with CNNs",
    BMVC 2017 (the gradient by Lyapunov's equation).
    """
    values, directions = tf.linalg.eigh(matrices)
    roots = tf.sqrt(tf.maximum(values, 0.0))

    def gradient(upstream):
        turned = tf.matmul(directions, upstream, transpose_a=True)
        turned = tf.matmul(turned, directions)
        turned = (turned + tf.linalg.matrix_transpose(turned)) / 2
        sums = roots[..., :, None] + roots[..., None, :]
        some = sums > _SMALLEST * tf.reduce_max(sums, axis=(-2, -1), keepdims=True)
        turned = tf.where(some, turned / tf.where(some, sums, 1.0), 0.0)
        turned = tf.matmul(directions, turned)
        return tf.matmul(turned, directions, transpose_b=True)

    scaled = directions * roots[..., None, :]
    return tf.matmul(scaled, directions, transpose_b=True), gradient


@keras.saving.register_keras_serializable(package="annotator")
class CovarianceRoot(keras.layers.Layer):
    """The square root of the covariance of an image's descriptors.

    Descriptors are taken at their first principal components. The upper triangle of the
    root makes the vector, what stands off the diagonal times the square root of 2, so
    that the product of two vectors is that of the two matrices; the vector has unit
    length, unless all descriptors are equal: then it is 0.

    Args:
        dimensions: Components k that are taken, at most those there are.

    Call arguments:
        descriptors: Projected descriptors, float `[batch, regions, n]`.

    Output shape:
        float32 `[batch, k * (k + 1) / 2]`, computed in float64.

    Source: as of `matrix_square_root`.
    """

    def __init__(self, dimensions: int, **kwargs: Any) -> None:
        # The smallest eigenvalues are differences of large numbers.
        super().__init__(**{**kwargs, "dtype": "float64"})
        if dimensions < 1:
            raise ValueError(f"dimensions must be 1 or more, got {dimensions}.")
        self.dimensions = dimensions

    def call(self, descriptors: tf.Tensor) -> tf.Tensor:
        taken = descriptors[..., : self.dimensions]
        centered = taken - ops.mean(taken, axis=1, keepdims=True)
        covariance = ops.matmul(ops.transpose(centered, (0, 2, 1)), centered)
        covariance /= ops.cast(ops.shape(taken)[1], covariance.dtype)
        root = matrix_square_root(covariance)
        size = taken.shape[-1]
        rows, columns = np.triu_indices(size)
        weights = np.where(rows == columns, 1.0, np.sqrt(2.0))
        flat = ops.reshape(root, (-1, size * size))
        vectors = ops.take(flat, rows * size + columns, axis=1) * weights
        return ops.cast(unit_length(vectors), "float32")

    def compute_output_spec(self, descriptors: keras.KerasTensor) -> keras.KerasTensor:
        taken = min(self.dimensions, descriptors.shape[-1])
        shape = (descriptors.shape[0], taken * (taken + 1) // 2)
        return keras.KerasTensor(shape, "float32")

    def get_config(self) -> dict[str, Any]:
        return {**super().get_config(), "dimensions": self.dimensions}
