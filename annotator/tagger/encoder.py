"""The image encoder: descriptors -> projection -> VLAD, fitted on a sample."""

import keras
import numpy as np

from annotator.tagger.projection import fit_projection, projection_layer
from annotator.tagger.vlad import VLAD, fit_codebook


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
        codebook_size: Visual words m.
        seed: Seed of k-means.

    Returns:
        Dict of float32 arrays: `kernel` `[D, n]`, `bias` `[n]`, `codebook` `[m, n]`.
    """
    kernel, bias = fit_projection(descriptors, components)
    codebook = fit_codebook(descriptors @ kernel + bias, codebook_size, seed)
    return {"kernel": kernel, "bias": bias, "codebook": codebook}


def build_encoder(kernel, bias, codebook, normalisation):
    """An encoder from the arrays of `fit_encoder`.

    Args:
        kernel, bias, codebook: As `fit_encoder` returns them.
        normalisation: As in `VLAD`.

    Returns:
        `keras.Sequential` from regions `[B, R, D]` to vectors float32 `[B, m * n]`.
    """
    vlad = VLAD(len(codebook), normalisation, name="vlad")
    vlad.build((None, None, codebook.shape[1]))
    vlad.codebook.assign(codebook)
    encoder = keras.Sequential(
        [
            keras.Input((None, kernel.shape[0]), dtype="float16", name="regions"),
            projection_layer(kernel, bias),
            vlad,
        ],
        name="encoder",
    )
    encoder.trainable = False
    return encoder
