"""An image's local descriptors against a codebook: VLAD, and a bag of words."""

from collections.abc import Collection
from typing import Any

import keras
import numpy as np
import tensorflow as tf
from keras import ops

NORMALIZATIONS = ("power", "intra", "l2")
_EPSILON = 1e-12


def fit_codebook(descriptors: np.ndarray, size: int, seed: int = 0) -> np.ndarray:
    """Clusters projected descriptors by k-means.

    Args:
        descriptors: Sample of projected descriptors, float32 `[N, n]`.
        size: Number of visual words m, at most N.
        seed: Seed of the initial centers.

    Returns:
        The codebook, float32 `[m, n]`.

    Raises:
        ValueError: When there are fewer descriptors than visual words.
    """
    from sklearn.cluster import MiniBatchKMeans  # seconds, which tagging does without

    if size > len(descriptors):
        raise ValueError(
            f"A codebook of {size} words needs at least as many descriptors, "
            f"got {len(descriptors)}."
        )
    kmeans = MiniBatchKMeans(size, batch_size=4096, n_init=3, random_state=seed)
    return kmeans.fit(descriptors).cluster_centers_.astype(np.float32)


@keras.saving.register_keras_serializable(package="annotator")
class VLAD(keras.layers.Layer):
    """Vector of locally aggregated descriptors.

    For each visual word, the residuals of the descriptors nearest to it are summed:
    `V_i = sum over {f: NN(f) = C_i} of (f - C_i)`; the sums stand side by side. A
    visual word without descriptors gives zeros. Normalizations are applied in this
    order, each leaving a zero vector as it is:

    - `"intra"`: each `V_i` to unit length (Arandjelovic and Zisserman, 2013);
    - `"power"`: signed square root of each number (Perronnin et al., 2010);
    - `"l2"`: the whole vector to unit length.

    Args:
        size: Number of visual words m.
        normalization: Any of `NORMALIZATIONS`, in any order; empty for the sums as
            they are, which is the published tagger's form.

    Call arguments:
        descriptors: Projected descriptors, float `[batch, regions, n]`.

    Output shape:
        float32 `[batch, m * n]`, computed in float64.

    Source: Jegou et al., "Aggregating local descriptors into a compact image
    representation", 2010.
    """

    def __init__(
        self, size: int, normalization: Collection[str] = ("l2",), **kwargs: Any
    ) -> None:
        # Square roots of differences near 0 would show the rounding of float32.
        super().__init__(**{**kwargs, "dtype": "float64"})
        unknown = set(normalization) - set(NORMALIZATIONS)
        if unknown:
            raise ValueError(
                f"normalization takes any of {NORMALIZATIONS}, got {sorted(unknown)}."
            )
        self.size = size
        self.normalization = tuple(normalization)

    @classmethod
    def from_codebook(
        cls, codebook: np.ndarray, normalization: Collection[str], **kwargs: Any
    ) -> "VLAD":
        """Builds the layer of a codebook.

        Args:
            codebook: From `fit_codebook`, float32 `[m, n]`.
            normalization: As in the class.
            **kwargs: Arguments of the base layer.

        Returns:
            The built layer.
        """
        layer = cls(len(codebook), normalization, **kwargs)
        layer.build((None, None, codebook.shape[1]))
        layer.codebook.assign(codebook)
        return layer

    def build(self, input_shape: tuple) -> None:
        self.codebook = self.add_weight(
            shape=(self.size, input_shape[-1]), name="codebook", trainable=False
        )

    def call(self, descriptors: tf.Tensor) -> tf.Tensor:
        membership = self.membership(descriptors)
        sums = ops.matmul(
            ops.transpose(membership, (0, 2, 1)), descriptors
        )  # [B, m, n]
        counts = ops.sum(membership, axis=1)[..., None]
        residuals = sums - counts * self.codebook
        if "intra" in self.normalization:
            residuals = unit_length(residuals)
        vectors = ops.reshape(residuals, (-1, self.size * self.codebook.shape[-1]))
        return ops.cast(self._normalized(vectors), "float32")

    def membership(self, descriptors: tf.Tensor) -> tf.Tensor:
        """Which visual word each descriptor is nearest to.

        Args:
            descriptors: As of a call.

        Returns:
            `[batch, regions, m]`, 1 for the nearest and 0 for the others.
        """
        # |f - C|^2 without |f|^2, which is the same for all visual words.
        distances = ops.sum(ops.square(self.codebook), -1) - 2 * ops.matmul(
            descriptors, ops.transpose(self.codebook)
        )
        nearest = ops.argmin(distances, -1)
        return ops.one_hot(nearest, self.size, dtype=self.compute_dtype)

    def _normalized(self, vectors):
        """Vectors `[batch, d]` by those normalizations that see them whole."""
        if "power" in self.normalization:
            vectors = ops.sign(vectors) * ops.sqrt(ops.abs(vectors))
        if "l2" in self.normalization:
            vectors = unit_length(vectors)
        return vectors

    def get_config(self) -> dict[str, Any]:
        return {
            **super().get_config(),
            "size": self.size,
            "normalization": list(self.normalization),
        }

    @classmethod
    def from_config(cls, config: dict[str, Any]) -> "VLAD":
        config = dict(config)
        if "normalisation" in config:  # files of version 0.1 spell it so
            config["normalization"] = config.pop("normalisation")
        return cls(**config)


@keras.saving.register_keras_serializable(package="annotator")
class BagOfWords(VLAD):
    """How many of an image's descriptors are nearest to each visual word.

    Args:
        size: Number of visual words m.
        normalization: `"power"`, `"l2"`, both, or empty for the counts as they are.

    Call arguments:
        descriptors: Projected descriptors, float `[batch, regions, n]`.

    Output shape:
        float32 `[batch, m]`.

    Raises:
        ValueError: When the normalization is `"intra"`, or unknown.

    Source: Sivic and Zisserman, "Video Google", 2003; the form from which "Image
    annotation based on middle-layer convolution features of deep learning" comes to
    VLAD.
    """

    def __init__(
        self, size: int, normalization: Collection[str] = (), **kwargs: Any
    ) -> None:
        super().__init__(size, normalization, **kwargs)
        if "intra" in normalization:
            raise ValueError(
                "A bag of words has one number a visual word, and 'intra' would make "
                "ones of them: take 'power' or 'l2'."
            )

    def call(self, descriptors: tf.Tensor) -> tf.Tensor:
        counts = ops.sum(self.membership(descriptors), axis=1)  # [B, m]
        return ops.cast(self._normalized(counts), "float32")


def unit_length(vectors: tf.Tensor) -> tf.Tensor:
    """Vectors along the last axis to length 1; a zero vector stays zero.

    Args:
        vectors: Float `[..., d]`.
    """
    squares = ops.sum(ops.square(vectors), -1, keepdims=True)
    # The square root of a sum below epsilon would blow rounding errors up.
    return vectors * ops.rsqrt(ops.maximum(squares, _EPSILON))
