"""MBRM: words from the training images whose regions look like an image's regions."""

from typing import Any

import keras
import numpy as np
import tensorflow as tf
from keras import ops

from annotator.tagger.exemplars.exemplar_tagger import ExemplarTagger


@keras.saving.register_keras_serializable(package="annotator")
class GridMeans(keras.layers.Layer):
    """Mean descriptor of each cell of a grid laid over an image.

    Where the sides do not divide, cells share a row or column of descriptors.

    Args:
        grid: Cells along each side g.

    Call arguments:
        descriptors: The rows of a square map, float `[batch, s * s, n]`.

    Output shape:
        float32 `[batch, g * g * n]`, the cells side by side, row by row.
    """

    def __init__(self, grid: int, **kwargs: Any) -> None:
        super().__init__(**{**kwargs, "dtype": "float32", "trainable": False})
        self.grid = grid

    def build(self, input_shape: tuple) -> None:
        side = round(input_shape[1] ** 0.5)
        if side**2 != input_shape[1] or side < self.grid:
            raise ValueError(
                f"A grid of {self.grid} x {self.grid} cells needs a square map of at "
                f"least as many descriptors, got {input_shape[1]} descriptors."
            )
        first = np.arange(self.grid) * side // self.grid
        end = -(-np.arange(1, self.grid + 1) * side // self.grid)  # rounded up
        rows = np.arange(side)
        inside = (rows >= first[:, None]) & (rows < end[:, None])  # [g, s]
        self.weights_of_rows = (inside / inside.sum(1, keepdims=True)).astype("float32")

    def call(self, descriptors: tf.Tensor) -> tf.Tensor:
        side, channels = self.weights_of_rows.shape[1], descriptors.shape[-1]
        maps = ops.reshape(descriptors, (-1, side, side, channels))
        weights = ops.convert_to_tensor(self.weights_of_rows)
        cells = ops.einsum("bhwc,ih,jw->bijc", maps, weights, weights)
        return ops.reshape(cells, (-1, self.grid**2 * channels))

    def get_config(self) -> dict[str, Any]:
        return {**super().get_config(), "grid": self.grid}


@keras.saving.register_keras_serializable(package="annotator")
class MBRM(ExemplarTagger):
    """The multiple Bernoulli relevance model.

    A training image J is as probable for an image as its regions f are near to the
    image's regions r, all images being equal beforehand:

        P(r | J) = prod over a of (1 / n) sum over i of N(r_a; f_i, beta I)

    and a word is as probable as in these images, smoothed by how many of all N images
    carry it:

        P(w | r) = sum over J of P(J | r) (smoothing [w in J] + N_w) / (smoothing + N)

    Scores are these probabilities.

    Args:
        images: Number of training images N.
        words: Number of words W.
        regions: Regions n of an image, equal parts of its vector.
        bandwidth: The variance beta of the kernel, in units of the total variance of
            the training images' regions.
        smoothing: How many images one training image counts for, against all.

    Source: Feng, Manmatha and Lavrenko, "Multiple Bernoulli relevance models for image
    and video annotation", CVPR 2004.
    """

    def __init__(
        self,
        images: int,
        words: int,
        regions: int = 9,
        bandwidth: float = 0.03,
        smoothing: float = 1e5,
        **kwargs: Any,
    ) -> None:
        super().__init__(images, words, **kwargs)
        self.regions = regions
        self.bandwidth = bandwidth
        self.smoothing = smoothing

    @classmethod
    def fit(
        cls, vectors: np.ndarray, tags: np.ndarray, regions: int = 9, **kwargs: Any
    ) -> "MBRM":
        """Builds a tagger that holds a training set.

        Args:
            vectors: The regions of an image side by side, float32 `[N, regions * s]`.
            tags: Whether an image carries a word, bool `[N, W]`.
            regions: Regions of an image.
            **kwargs: Other arguments of the class.

        Returns:
            The built layer.

        Raises:
            ValueError: When no image carries a word.
        """
        layer = super().fit(vectors, tags, regions=regions, **kwargs)
        cells = np.reshape(layer.vectors, (layer.images * regions, -1))
        layer.variance.assign(cells.var(axis=0, dtype=np.float64).sum())
        return layer

    def build(self, input_shape: tuple) -> None:
        if input_shape[-1] % self.regions:
            raise ValueError(
                f"{input_shape[-1]} numbers are not {self.regions} regions of equal "
                "size."
            )
        super().build(input_shape)
        self.variance = self.add_weight(shape=(), name="variance")

    def call(self, vectors: tf.Tensor) -> tf.Tensor:
        size = vectors.shape[-1] // self.regions
        queries = ops.reshape(vectors, (-1, self.regions, size))
        cells = ops.reshape(self.vectors, (-1, size))  # [N * n, size]
        squares = ops.sum(ops.square(cells), -1)
        # A region all images share tells nothing, whatever the kernel's width.
        width = 2.0 * self.bandwidth * ops.maximum(self.variance, 1e-12)

        def log_likelihoods(query):
            """log P(r | J) of one image's regions `[n, size]`, `[N]`."""
            distances = (
                ops.sum(ops.square(query), -1, keepdims=True)
                + squares
                - 2.0 * ops.matmul(query, ops.transpose(cells))
            )
            kernels = ops.reshape(-distances / width, (self.regions, self.images, -1))
            return ops.sum(ops.logsumexp(kernels, axis=-1), axis=0)

        # One by one: all at once would hold batch * N * n^2 numbers.
        posterior = ops.softmax(ops.map(log_likelihoods, queries), axis=-1)
        carried = ops.matmul(posterior, self.tags)
        counts = ops.sum(self.tags, axis=0)
        return (self.smoothing * carried + counts) / (self.smoothing + self.images)

    def get_config(self) -> dict[str, Any]:
        return {
            **super().get_config(),
            "regions": self.regions,
            "bandwidth": self.bandwidth,
            "smoothing": self.smoothing,
        }
