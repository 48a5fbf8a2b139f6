"""The last layers of a tagger: from an image's vector to a score for each word."""

import dataclasses
from collections.abc import Callable

import keras
import numpy as np

from annotator.config import Config
from annotator.tagger import mean_scores
from annotator.tagger.exemplars import mbrm, nearest_neighbors
from annotator.tagger.whitened_means import Whitening

_BLOCK = 1024  # rows that are whitened at a time
_SHRINKAGE = 1e-3  # of neighbors' whitening, unless it is given
# Of 2PKNN's vote, by 500 of Corel5k's training images that were held out.
_VOTE_BANDWIDTH = {"l2": 20.0, "cosine": 40.0, "whitened": 40.0}


def fit_scores(
    config: Config,
    vectors: np.ndarray,
    tags: np.ndarray,
    whitening_rows: int | None = None,
    known: np.ndarray | None = None,
) -> tuple[keras.Sequential, dict[str, float]]:
    """The layers from vectors to scores that `config` asks for.

    Args:
        config: `Config`.
        vectors: float32 `[N, d]`; may be a memory map.
        tags: bool `[N, W]`.
        whitening_rows: How many of the first vectors decide the whitening; all by
            default.
        known: Whether an image was asked for a word, bool `[N, W]`; `None` if each was
            asked for all.

    Returns:
        A built model from `[B, d]` to float32 `[B, W]`; and the settings that `config`
        leaves open and that were chosen by these images, with what they are worth by
        them.
    """
    layers, chosen = FITS[config.tagger](config, vectors, tags, whitening_rows, known)
    model = keras.Sequential([keras.Input((vectors.shape[1],)), *layers])
    model.trainable = False
    return model, chosen


def _means(config, vectors, tags, whitening_rows, known):
    layers, strengths = mean_scores.fit_mean_scores(
        vectors,
        tags,
        config.similarity,
        config.shrinkage,
        config.margin,
        config.lift,
        whitening_rows,
        known,
        config.seed,
    )
    return layers, dataclasses.asdict(strengths) if strengths else {}


def _jec(config, vectors, tags, whitening_rows, known):
    compared, vectors = _compared(config, vectors, whitening_rows)
    jec = nearest_neighbors.JEC.fit(
        vectors, tags, neighbors=config.neighbours, name="scores"
    )
    return [*compared, jec], {}


def _two_pass_knn(config, vectors, tags, whitening_rows, known):
    compared, vectors = _compared(config, vectors, whitening_rows)
    two_pass_knn = nearest_neighbors.TwoPassKNN.fit(
        vectors,
        tags,
        neighbors=config.neighbours,
        bandwidth=_VOTE_BANDWIDTH[config.similarity],
        name="scores",
    )
    return [*compared, two_pass_knn], {}


def _mbrm(config, vectors, tags, whitening_rows, known):
    compared, vectors = [], np.asarray(vectors)
    if config.pooling == "vlad":
        compared, vectors = _compared(config, vectors, whitening_rows)
    densities = mbrm.MBRM.fit(
        vectors,
        tags,
        regions=max(config.grid, 1) ** 2,
        bandwidth=config.bandwidth,
        smoothing=config.smoothing,
        name="scores",
    )
    return [*compared, densities], {}


def _compared(config, vectors, whitening_rows):
    """The layers that make of vectors those that are compared by L2, and these."""
    if config.similarity == "l2":
        return [], np.asarray(vectors)
    layers = []
    if config.similarity == "whitened":
        # No leave-one-out chooses it here, as it does for the means.
        shrinkage = config.shrinkage or _SHRINKAGE
        whitening = Whitening.fit(vectors[:whitening_rows], shrinkage)
        layers.append(whitening.layer(name="whitening"))
    # By angle, as the means are: where all directions vary alike, a vector is long
    # because its image is unusual, and the nearest to all of them are the short ones.
    layers.append(keras.layers.UnitNormalization(dtype="float32", name="unit"))
    compared = keras.Sequential([keras.Input((vectors.shape[1],)), *layers])
    blocks = np.array_split(vectors, -(-len(vectors) // _BLOCK))
    return layers, np.concatenate([compared(block).numpy() for block in blocks])


FITS: dict[str, Callable] = {
    "means": _means,
    "jec": _jec,
    "2pknn": _two_pass_knn,
    "mbrm": _mbrm,
}
