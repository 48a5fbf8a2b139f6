"""The encoder of a tagger: from regions to an image's vector."""

from collections.abc import Callable

import keras
import numpy as np

from annotator import files, loading
from annotator.config import Config
from annotator.runs.run import Run
from annotator.runs.splits import Split
from annotator.tagger.exemplars import mbrm
from annotator.tagger.pooling import encoder
from annotator.terminal.progress import FITTING, SAMPLING, track
from annotator.training.tagger.extension import Extended


def run_encoder(run: Run, split: Split, extended: Extended | None) -> keras.Model:
    """The encoder of a run: the one on its disk, the extended run's, or a new fit.

    Args:
        run: The run.
        split: The training images.
        extended: What the run extends, if anything.

    Returns:
        `keras.Sequential` from regions float16 `[B, R, channels]` to vectors float32
        `[B, d]`.
    """
    path = run.files.encoder
    if path.is_file():
        fitted = loading.arrays(path)
    else:
        fitted = (
            loading.arrays(extended.files.encoder) if extended else _fit(run, split)
        )
        with files.atomic_path(path) as temporary:
            np.savez(temporary, **fitted)
    return _BUILDS[run.config.pooling](run.config, fitted, split)


def _fit(run, split):
    config = run.config
    total = -(-len(split) // config.batch_size)
    batches = track(
        split.regions(config.batch_size).as_numpy_iterator(),
        run.progress.stage(SAMPLING, "images", total, "batch"),
    )
    sample = encoder.sample_descriptors(
        batches, len(split), encoder.DESCRIPTOR_SAMPLE, config.seed
    )
    has_codebook = config.pooling == "vlad" and config.vlad != encoder.MEAN
    codebook = config.codebook if has_codebook else None
    with run.progress.stage(FITTING, "projection and codebook"):
        return encoder.fit_encoder(
            sample,
            config.components,
            codebook,
            config.seed,
            config.descriptor_power,
        )


def _vlad(config: Config, fitted: dict, split: Split) -> keras.Model:
    components = fitted["kernel"].shape[1]
    pooling = encoder.vector_pooling(
        config.vlad, config.covariance, components, fitted.get("codebook")
    )
    return encoder.build_encoder(
        fitted["kernel"], fitted["bias"], pooling, power=config.descriptor_power
    )


def _grid(config: Config, fitted: dict, split: Split) -> keras.Model:
    height, width, _ = split.caches[0].shape
    pooling = mbrm.GridMeans(config.grid, name="grid_means")
    return encoder.build_encoder(
        fitted["kernel"],
        fitted["bias"],
        pooling,
        height * width,
        config.descriptor_power,
    )


_BUILDS: dict[str | None, Callable] = {"vlad": _vlad, "grid": _grid}
