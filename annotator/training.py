"""What `train.py` does: train, evaluate and export the models of a run."""

import dataclasses
import os
import pathlib

import keras
import tensorflow as tf

from annotator import backbone as backbones
from annotator import evaluation, export, files, pipeline
from annotator.tagger.top_tags import TopTags
from annotator.tagger_training import train_tagger

DEFAULT_CACHE = "~/.cache/annotator"


def train(config, workdir, eval_split="validation"):
    """Runs a training from its settings to its exports; continues one that was cut off.

    Args:
        config: `Config`.
        workdir: Folder of the run, the whole of its state beside the feature cache.
        eval_split: Split on which the trained models are scored.

    Returns:
        `(metrics, table, exports)`: see `evaluation.evaluate`; `exports` are the paths
        of the SavedModel and the `.keras` file of each model.

    Raises:
        ValueError: If the settings are wrong or `workdir` holds another run.
    """
    cache_dir = config.cache_dir or os.environ.get("ANNOTATOR_CACHE") or DEFAULT_CACHE
    config = dataclasses.replace(
        config,
        cache_dir=os.path.expanduser(cache_dir),
        precision=backbones.resolve_precision(config.precision),
    )
    workdir = pathlib.Path(workdir)
    config.claim(workdir)
    keras.utils.set_random_seed(config.seed)
    train_tagger(config, workdir)
    metrics, table = evaluation.evaluate(workdir, eval_split)
    writer = tf.summary.create_file_writer(str(workdir / "logs" / eval_split))
    with writer.as_default(step=0):
        for name, value in metrics.items():
            tf.summary.scalar(name, value)
    return metrics, table, export_tagger(config, workdir)


def export_tagger(config, workdir):
    """Exports a run's tagger; returns the paths of SavedModel and `.keras` file."""
    workdir = pathlib.Path(workdir)
    tagger = keras.saving.load_model(workdir / "tagger" / "tagger.keras")
    words = files.read_json(workdir / "tagger" / "words.json")
    top = TopTags(words, config.top_k, config.threshold, name="top_tags")
    resizes = pipeline.build_resizes(config)
    model, views_model = export.image_model(
        pipeline.build_backbone(config, config.tap),
        resizes,
        lambda regions: top(tagger(regions)),
        "tagger",
    )
    manifest = {"config": dataclasses.asdict(config), "words": words}
    return export.save(
        workdir / "export", "tagger", model, views_model, resizes, manifest
    )
