"""Descriptors standardized and projected on their principal components."""

import keras
import numpy as np

_BLOCK = 4096  # rows per step: StandardScaler copies what it is given to float64


def fit_projection(
    descriptors: np.ndarray, components: int
) -> tuple[np.ndarray, np.ndarray]:
    """Fits standardization and PCA, and folds both into one affine map.

    Args:
        descriptors: Sample of training descriptors, float `[N, D]`.
        components: Number of principal components n, at most `min(N, D)`.

    Returns:
        `(kernel, bias)`, float32 `[D, n]` and `[n]`: the projection of `x` is
        `x @ kernel + bias`. A dimension that never varies is centered, not scaled.

    Raises:
        ValueError: When `components` is out of range.

    Source: "Image annotation based on middle-layer convolution features of deep
    learning", steps 2 and 3.
    """
    # Seconds, which tagging does without.
    from sklearn.decomposition import PCA
    from sklearn.preprocessing import StandardScaler

    limit = min(descriptors.shape)
    if not 1 <= components <= limit:
        raise ValueError(
            f"components must be between 1 and {limit} for descriptors of shape "
            f"{descriptors.shape}, got {components}."
        )
    scaler = StandardScaler()
    for start in range(0, len(descriptors), _BLOCK):
        scaler.partial_fit(descriptors[start : start + _BLOCK])
    # Exact, and the fastest where descriptors outnumber their dimensions.
    solver = "covariance_eigh" if len(descriptors) > descriptors.shape[1] else "full"
    pca = PCA(components, svd_solver=solver).fit(scaler.transform(descriptors))
    kernel = pca.components_.T / scaler.scale_[:, None]
    bias = -(scaler.mean_ @ kernel) - pca.mean_ @ pca.components_.T
    return kernel.astype(np.float32), bias.astype(np.float32)


def projection_layer(
    kernel: np.ndarray, bias: np.ndarray, name: str = "projection"
) -> keras.layers.Dense:
    """Builds the projection as a frozen layer on `[..., D]`, in float64.

    What follows picks the nearest visual word and takes square roots of differences:
    rounding errors of float32 would grow to a percent of a score on the way.

    Args:
        kernel: As `fit_projection` returns it, `[D, n]`.
        bias: As `fit_projection` returns it, `[n]`.
        name: Name of the layer.

    Returns:
        The built layer.
    """
    layer = keras.layers.Dense(
        kernel.shape[1], dtype="float64", trainable=False, name=name
    )
    layer.build((None, kernel.shape[0]))
    layer.set_weights([kernel, bias])
    return layer
