"""What `train.py` does: train, score and export the models of a run."""

import dataclasses
import hashlib
import json
import pathlib

import keras
import tensorflow as tf

from annotator import datasets, files
from annotator.backbones import backbone as backbones
from annotator.captioner import CaptionDetails
from annotator.config import HEADS
from annotator.evaluation import run as evaluation
from annotator.export import saved_model as export
from annotator.export import serving_files
from annotator.runs import run as pipeline
from annotator.runs import settings_file
from annotator.tagger.top_tags import TopTags
from annotator.training import workers
from annotator.training.captioner.fit import load_captioner, train_captioner
from annotator.training.captioner.trainer import check_selection
from annotator.training.tagger.finetune import finetune_tagger
from annotator.training.tagger.fit import train_tagger

TASKS = ("tagger", "captioner")
_NO_FILES = ("imagenet", "random")


def train(config, workdir, eval_split="validation"):
    """Runs a training from its settings to its exports; continues one that was cut off.

    Args:
        config: `Config`.
        workdir: Folder of the run, the whole of its state beside the feature cache.
        eval_split: Split on which the trained models are scored.

    Returns:
        `(metrics, table, exports)`: see `evaluation.evaluate`; `exports` are the paths
        of the SavedModel and the `.keras` file of each model. All are empty for
        workers of `TF_CONFIG` other than the first.

    Raises:
        ValueError: If the settings are wrong, or `workdir` holds another run or one of
            other data.
        BlockingIOError: If another process trains in `workdir`.
    """
    workers.strategy()  # before TensorFlow does anything
    weights = config.backbone_weights
    config = dataclasses.replace(
        config,
        data_dir=files.absolute(config.data_dir),
        cache_dir=files.absolute(config.cache_dir or datasets.default_cache_dir()),
        backbone_weights=weights if weights in _NO_FILES else files.absolute(weights),
        extend=files.absolute(config.extend),
        precision=backbones.resolve_precision(config.precision),
    )
    workdir = pathlib.Path(workdir).expanduser()
    if not workers.is_chief():
        if config.task != "captioner" and config.tagger == "finetuned":
            finetune_tagger(config, workdir)
        if config.task != "tagger":
            train_captioner(config, workdir)
        return {}, "", []
    needed = ("train", "validation", eval_split)
    if config.task == "tagger" and config.tagger != "finetuned":
        needed = needed[::2]
    splits = pipeline.load_annotations(config, dict.fromkeys(needed))
    tasks = [task for task in TASKS if config.task in (task, "all")]
    for task in tasks:
        pipeline.tap(config, task)
    if config.task != "tagger":
        check_selection(config)
    workdir.mkdir(parents=True, exist_ok=True)
    with open(workdir / ".lock", "ab") as file:
        files.lock(file, f"{workdir} is being worked on")
        settings_file.claim(config, workdir)
        for task in tasks:
            check_same_data(workdir / task, splits["train"], task)
        for folder in (*TASKS, "export"):
            files.remove_leftovers((workdir / folder).rglob(".*"))
        return _train(config, workdir, tasks, eval_split)


def check_same_data(folder, annotated, task):
    """Sees to it that a task goes on with the data it began with.

    Args:
        folder: Folder of the task in a workdir; `data.json` in it says what it began
            with.
        annotated: `AnnotatedImages` of the training split.
        task: `"tagger"` or `"captioner"`: whether tags or captions matter.

    Raises:
        ValueError: If other images, or other tags or captions, are listed now.
    """
    digest = hashlib.sha256(json.dumps(annotated.image_ids).encode())
    if task == "tagger":
        digest.update(json.dumps(annotated.words).encode())
        digest.update(annotated.tags.tobytes())
    else:
        digest.update(json.dumps(annotated.captions).encode())
    data = {"images": len(annotated), "SHA-256": digest.hexdigest()}
    path = folder / "data.json"
    if settings_file.begun(folder) and path.is_file() and files.read_json(path) != data:
        kind = {"tagger": "tags", "captioner": "captions"}[task]
        raise ValueError(
            f"The training images of {annotated.name} or their {kind} have changed "
            f"since the {task} in {folder.parent} was begun. Put them back, or name "
            "another --workdir."
        )
    files.write_json(path, data)


def _train(config, workdir, tasks, eval_split):
    exports = []
    for task in tasks:
        train_task, export_task = _STAGES[task]
        train_task(config, workdir)
        exported = export.latest(workdir / "export", task)
        if exported is None or not _is_current(exported[2], config, workdir, task):
            exported = export_task(config, workdir)
        exports += exported[:2]
    # Also where an earlier try was cut off right after an export.
    serving_files.write_config(workdir / "export")
    metrics, table = evaluation.evaluate(workdir, eval_split)
    writer = tf.summary.create_file_writer(str(workdir / "logs" / eval_split))
    with writer.as_default(step=0):
        for name, value in metrics.items():
            if isinstance(value, (int, float)):
                tf.summary.scalar(name, value)
    return metrics, table, exports


def _is_current(manifest, config, workdir, task):
    """Whether an export is of the trained model and decodes as `config` says."""
    return manifest["trained"] == files.sha256(
        workdir / task / f"{task}.keras"
    ) and all(
        manifest["config"].get(name) == getattr(config, name)
        for name in HEADS[task].exported()
    )


def export_tagger(config, workdir):
    """Exports a run's tagger; returns the paths of SavedModel and `.keras` file."""
    tagger = keras.saving.load_model(workdir / "tagger" / "tagger.keras")
    words = files.read_json(workdir / "tagger" / "words.json")
    top = TopTags(words, config.top_k, config.threshold, name="top_tags")
    return _export(
        config,
        workdir,
        "tagger",
        lambda regions: top(tagger(regions)),
        served=("tags", "scores"),
        words=words,
    )


def export_captioner(config, workdir):
    """Exports a run's captioner; returns the paths of SavedModel and `.keras` file."""
    captioner = load_captioner(config, workdir)
    return _export(
        config,
        workdir,
        "captioner",
        captioner,
        served=("captions", "scores"),
        detailed_head=CaptionDetails(captioner),
        words=list(captioner.vocabulary.words),
    )


def _export(config, workdir, task, head, served, detailed_head=None, **facts):
    resizes = pipeline.build_resizes(config, task)
    backbone = pipeline.build_backbone(config, task, workdir)
    model, views_model = export.image_model(backbone, resizes, head, task)
    details = None
    if detailed_head is not None:
        _, details = export.image_model(
            backbone, resizes, detailed_head, f"{task}_details"
        )
    manifest = {
        "config": dataclasses.asdict(config),
        "trained": files.sha256(workdir / task / f"{task}.keras"),
        **facts,
    }
    return export.save(
        workdir / "export", task, model, views_model, resizes, manifest, served, details
    )


_STAGES = {
    "tagger": (train_tagger, export_tagger),
    "captioner": (train_captioner, export_captioner),
}
