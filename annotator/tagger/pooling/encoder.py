"""The image encoder: descriptors -> projection -> one vector, fitted on a sample."""

from collections.abc import Collection, Iterable

import keras
import numpy as np

from annotator.keras_support.powers import signed_power
from annotator.tagger.pooling.joined import JoinedPooling
from annotator.tagger.pooling.mean import MeanPooling
from annotator.tagger.pooling.power import SignedPower
from annotator.tagger.pooling.projection import fit_projection, projection_layer
from annotator.tagger.pooling.second_order import CovarianceRoot
from annotator.tagger.pooling.vlad import VLAD, BagOfWords, fit_codebook

MEAN = ("mean",)
BAG_OF_WORDS = "bow"

# Descriptors that PCA and k-means are fitted on: 400 MB at 1,024 channels.
DESCRIPTOR_SAMPLE = 100_000


def sample_descriptors(
    batches: Iterable[np.ndarray], images: int, size: int, seed: int = 0
) -> np.ndarray:
    """Draws descriptors evenly from a stream of images.

    Args:
        batches: Regions of consecutive images, `[B, R, D]` each.
        images: Number of images in the stream.
        size: Descriptors wanted; at least one is taken from every image.
        seed: Seed of the choice, which depends on the order of the images only.

    Returns:
        float32 `[about size, D]`.
    """
    rng = np.random.default_rng(seed)
    chosen: list[np.ndarray] = []
    for regions in batches:
        per_image = min(regions.shape[1], max(1, size // images))
        order = rng.random(regions.shape[:2]).argpartition(per_image - 1, axis=1)
        columns = order[:, :per_image]
        rows = np.arange(len(regions))[:, None]
        chosen.append(np.asarray(regions)[rows, columns].astype(np.float32))
    return np.concatenate(chosen).reshape(-1, chosen[0].shape[-1])


def fit_encoder(
    descriptors: np.ndarray,
    components: int,
    codebook_size: int | None,
    seed: int = 0,
    power: float = 1.0,
) -> dict[str, np.ndarray]:
    """Fits projection and codebook.

    Args:
        descriptors: Sample from `sample_descriptors`, float32 `[N, D]`.
        components: PCA dimensions n.
        codebook_size: Visual words m; `None` for no codebook.
        seed: Seed of k-means.
        power: Of the descriptors, taken before all else, see `SignedPower`.

    Returns:
        Dict of float32 arrays: `kernel` `[D, n]`, `bias` `[n]`, and `codebook` `[m, n]`
        if one was asked for.
    """
    descriptors = np.asarray(signed_power(descriptors, power))
    kernel, bias = fit_projection(descriptors, components)
    fitted = {"kernel": kernel, "bias": bias}
    if codebook_size is not None:
        projected = descriptors @ kernel + bias
        fitted["codebook"] = fit_codebook(projected, codebook_size, seed)
    return fitted


def vector_pooling(
    normalization: Collection[str],
    covariance: int,
    components: int,
    codebook: np.ndarray | None,
) -> keras.layers.Layer:
    """The pooling of the mean-vector tagger.

    Args:
        normalization: Of the VLAD vector, see `VLAD`; `("mean",)` for `MeanPooling` in
            place of it; with `"bow"`, of `BagOfWords` in place of it.
        covariance: Dimensions of `CovarianceRoot`, which is joined; 0 for none.
        components: Dimensions n of a projected descriptor.
        codebook: float32 `[m, n]`; `None` where there is no VLAD vector.

    Returns:
        A built layer from `[B, R, n]` to float32 `[B, d]`.
    """
    parts: list[keras.layers.Layer] = []
    if tuple(normalization) == MEAN:
        parts.append(MeanPooling(name="mean"))
    else:
        kind = BagOfWords if BAG_OF_WORDS in normalization else VLAD
        names = [name for name in normalization if name != BAG_OF_WORDS]
        parts.append(kind.from_codebook(codebook, names, name="vlad"))
    if covariance:
        size = min(covariance, components)
        parts.append(CovarianceRoot(size, name="covariance"))
    (first, *others) = parts
    pooling = JoinedPooling(parts, name="vector") if others else first
    if not pooling.built:
        pooling.build((None, None, components))
    return pooling


def build_encoder(
    kernel: np.ndarray,
    bias: np.ndarray,
    pooling: keras.layers.Layer,
    regions: int | None = None,
    power: float = 1.0,
) -> keras.Sequential:
    """Builds an encoder from the arrays of `fit_encoder`.

    Args:
        kernel: The projection's kernel, float32 `[D, n]`.
        bias: The projection's bias, float32 `[n]`.
        pooling: Layer from projected descriptors `[B, R, n]` to vectors `[B, d]`.
        regions: Regions R of an image, where `pooling` has to know it.
        power: As of `fit_encoder`.

    Returns:
        Model from regions `[B, R, D]` to vectors, float32 `[B, d]`.
    """
    encoder = keras.Sequential(
        [
            keras.Input((regions, kernel.shape[0]), dtype="float16", name="regions"),
            *([SignedPower(power, name="power")] if power != 1 else []),
            projection_layer(kernel, bias),
            pooling,
        ],
        name="encoder",
    )
    encoder.trainable = False
    return encoder
