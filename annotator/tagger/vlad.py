"""VLAD: an image's local descriptors summed up against a codebook."""

import keras
import numpy as np
from keras import ops
from sklearn.cluster import MiniBatchKMeans

NORMALIZATIONS = ("power", "intra", "l2")
_EPSILON = 1e-12


def fit_codebook(descriptors, size, seed=0):
    """k-means over projected descriptors.

    Args:
        descriptors: float32 `[N, n]`.
        size: Number of visual words m, at most N.
        seed: Seed of the initial centers.

    Returns:
        Codebook, float32 `[m, n]`.

    Raises:
        ValueError: If there are fewer descriptors than visual words.
    """
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
        descriptors: float `[batch, regions, n]`.

    Output shape:
        float32 `[batch, m * n]`, computed in float64.

    Source: Jegou et al., "Aggregating local descriptors into a compact image
    representation", 2010.
    """

    def __init__(self, size, normalization=("l2",), **kwargs):
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
    def from_codebook(cls, codebook, normalization, **kwargs):
        """The layer of a codebook, float32 `[m, n]`."""
        layer = cls(len(codebook), normalization, **kwargs)
        layer.build((None, None, codebook.shape[1]))
        layer.codebook.assign(codebook)
        return layer

    def build(self, input_shape):
        self.codebook = self.add_weight(
            shape=(self.size, input_shape[-1]), name="codebook", trainable=False
        )

    def call(self, descriptors):
        # |f - C|^2 without |f|^2, which is the same for all visual words.
        distances = ops.sum(ops.square(self.codebook), -1) - 2 * ops.matmul(
            descriptors, ops.transpose(self.codebook)
        )
        nearest = ops.argmin(distances, -1)
        nearest = ops.one_hot(nearest, self.size, dtype=self.compute_dtype)  # [B, R, m]
        sums = ops.matmul(ops.transpose(nearest, (0, 2, 1)), descriptors)  # [B, m, n]
        counts = ops.sum(nearest, axis=1)[..., None]
        residuals = sums - counts * self.codebook
        if "intra" in self.normalization:
            residuals = _unit(residuals)
        vectors = ops.reshape(residuals, (-1, self.size * self.codebook.shape[-1]))
        if "power" in self.normalization:
            vectors = ops.sign(vectors) * ops.sqrt(ops.abs(vectors))
        vectors = _unit(vectors) if "l2" in self.normalization else vectors
        return ops.cast(vectors, "float32")

    def get_config(self):
        return {
            **super().get_config(),
            "size": self.size,
            "normalization": list(self.normalization),
        }

    @classmethod
    def from_config(cls, config):
        # Files of version 0.1 spell it so.
        if "normalisation" in config:
            config = {**config, "normalization": config["normalisation"]}
            del config["normalisation"]
        return cls(**config)


def _unit(vectors):
    """Vectors along the last axis to length 1; a zero vector stays zero."""
    squares = ops.sum(ops.square(vectors), -1, keepdims=True)
    # The square root of a sum below epsilon would blow rounding errors up.
    return vectors * ops.rsqrt(ops.maximum(squares, _EPSILON))
