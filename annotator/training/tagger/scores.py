"""The last layer of a tagger: from an image's vector to a score for each word."""

from collections.abc import Callable

import keras
import numpy as np

from annotator.config import Config
from annotator.tagger import mean_scores
from annotator.tagger.exemplars import mbrm, nearest_neighbors
from annotator.tagger.whitened_means import Whitening

_BLOCK = 1024  # rows that are whitened at a time


def fit_scores(
    config: Config,
    vectors: np.ndarray,
    tags: np.ndarray,
    whitening_rows: int | None = None,
    known: np.ndarray | None = None,
) -> keras.layers.Layer:
    """The layer from vectors to scores that `config` asks for.

    Args:
        config: `Config`.
        vectors: float32 `[N, d]`; may be a memory map.
        tags: bool `[N, W]`.
        whitening_rows: How many of the first vectors decide the whitening; all by
            default.
        known: Whether an image was asked for a word, bool `[N, W]`; `None` if each was
            asked for all.

    Returns:
        A built layer from `[B, d]` to float32 `[B, W]`.
    """
    return FITS[config.tagger](config, vectors, tags, whitening_rows, known)


def _means(config, vectors, tags, whitening_rows, known):
    return mean_scores.fit_mean_scores(
        vectors,
        tags,
        config.similarity,
        config.shrinkage,
        config.margin,
        whitening_rows,
        known,
    )


def _jec(config, vectors, tags, whitening_rows, known):
    compared, vectors = _compared(config, vectors, whitening_rows)
    jec = nearest_neighbors.JEC.fit(
        vectors, tags, neighbors=config.neighbours, name="neighbors"
    )
    return _behind(compared, jec)


def _two_pass_knn(config, vectors, tags, whitening_rows, known):
    compared, vectors = _compared(config, vectors, whitening_rows)
    two_pass_knn = nearest_neighbors.TwoPassKNN.fit(
        vectors, tags, neighbors=config.neighbours, name="neighbors"
    )
    return _behind(compared, two_pass_knn)


def _mbrm(config, vectors, tags, whitening_rows, known):
    compared, vectors = None, np.asarray(vectors)
    if config.pooling == "vlad":
        compared, vectors = _compared(config, vectors, whitening_rows)
    densities = mbrm.MBRM.fit(
        vectors,
        tags,
        regions=max(config.grid, 1) ** 2,
        bandwidth=config.bandwidth,
        smoothing=config.smoothing,
        name="densities",
    )
    return _behind(compared, densities)


def _compared(config, vectors, whitening_rows):
    """What makes of vectors those that are compared by L2, and the vectors it makes.

    That is a layer, or `None` where they are compared as they are.
    """
    if config.similarity == "l2":
        return None, np.asarray(vectors)
    if config.similarity == "cosine":
        layer = keras.layers.UnitNormalization(dtype="float32", name="unit")
        layer.build((None, vectors.shape[1]))
    else:
        whitening = Whitening.fit(vectors[:whitening_rows], config.shrinkage)
        layer = whitening.layer(name="whitening")
    blocks = np.array_split(vectors, -(-len(vectors) // _BLOCK))
    return layer, np.concatenate([layer(block).numpy() for block in blocks])


def _behind(compared, scores):
    """`scores`, behind the layer that makes its vectors where there is one."""
    if compared is None:
        return scores
    return keras.Sequential([compared, scores], name="scores")


FITS: dict[str, Callable] = {
    "means": _means,
    "jec": _jec,
    "2pknn": _two_pass_knn,
    "mbrm": _mbrm,
}
