"""The image encoder: descriptors -> projection -> one vector, fitted on a sample."""

import keras
import numpy as np

from annotator.tagger.projection import fit_projection, projection_layer
from annotator.tagger.vlad import fit_codebook


def sample_descriptors(batches, images, size, seed=0):
    """Draws descriptors evenly from a stream of images.

    Args:
        batches: Iterable of regions `[B, R, D]`.
        images: Number of images in the stream.
        size: Descriptors wanted; at least one is taken from every image.
        seed: Seed of the choice, which depends on the order of the images only.

    Returns:
        float32 `[about size, D]`.
    """
    rng = np.random.default_rng(seed)
    chosen = []
    for regions in batches:
        each = min(regions.shape[1], max(1, size // images))
        places = rng.random(regions.shape[:2]).argpartition(each - 1, axis=1)[:, :each]
        rows = np.arange(len(regions))[:, None]
        chosen.append(np.asarray(regions)[rows, places].astype(np.float32))
    return np.concatenate(chosen).reshape(-1, chosen[0].shape[-1])


def fit_encoder(descriptors, components, codebook_size, seed=0):
    """Fits projection and codebook.

    Args:
        descriptors: float32 `[N, D]`, from `sample_descriptors`.
        components: PCA dimensions n.
        codebook_size: Visual words m; `None` for no codebook.
        seed: Seed of k-means.

    Returns:
        Dict of float32 arrays: `kernel` `[D, n]`, `bias` `[n]`, and `codebook` `[m, n]`
        if one was asked for.
    """
    kernel, bias = fit_projection(descriptors, components)
    fitted = {"kernel": kernel, "bias": bias}
    if codebook_size is not None:
        projected = descriptors @ kernel + bias
        fitted["codebook"] = fit_codebook(projected, codebook_size, seed)
    return fitted


def build_encoder(kernel, bias, pooling, regions=None):
    """An encoder from the arrays of `fit_encoder`.

    Args:
        kernel, bias: As `fit_encoder` returns them.
        pooling: Layer from projected descriptors `[B, R, n]` to vectors `[B, d]`.
        regions: R, where `pooling` has to know it.

    Returns:
        `keras.Sequential` from regions `[B, R, D]` to vectors float32 `[B, d]`.
    """
    encoder = keras.Sequential(
        [
            keras.Input((regions, kernel.shape[0]), dtype="float16", name="regions"),
            projection_layer(kernel, bias),
            pooling,
        ],
        name="encoder",
    )
    encoder.trainable = False
    return encoder
