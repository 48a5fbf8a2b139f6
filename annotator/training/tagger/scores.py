"""The last layers of a tagger: from an image's vector to a score for each word."""

import dataclasses
from collections.abc import Callable

import keras
import numpy as np

from annotator.config import Config
from annotator.tagger import mean_scores
from annotator.tagger.exemplars import mbrm, nearest_neighbors


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
    return [
        nearest_neighbors.JEC.fit(
            np.asarray(vectors), tags, neighbors=config.neighbours, name="scores"
        )
    ], {}


def _two_pass_knn(config, vectors, tags, whitening_rows, known):
    return [
        nearest_neighbors.TwoPassKNN.fit(
            np.asarray(vectors), tags, neighbors=config.neighbours, name="scores"
        )
    ], {}


def _mbrm(config, vectors, tags, whitening_rows, known):
    return [
        mbrm.MBRM.fit(
            np.asarray(vectors),
            tags,
            regions=config.grid**2,
            bandwidth=config.bandwidth,
            smoothing=config.smoothing,
            name="scores",
        )
    ], {}


FITS: dict[str, Callable] = {
    "means": _means,
    "jec": _jec,
    "2pknn": _two_pass_knn,
    "mbrm": _mbrm,
}
