"""Presets of trained runs: folders that are small enough to come with a package."""

import os
import pathlib
from collections.abc import Iterable, Mapping
from typing import Any

import keras

import annotator.layers  # noqa: F401  (what .keras files are made of)
from annotator.backbones.backbone import build_backbone
from annotator.backbones.imagenet import has_packaged, package_weights
from annotator.export import preset
from annotator.runs.heads import CAPTIONER, TAGGER, Task
from annotator.runs.run import Run
from annotator.training.exports import teaching_basis

# Settings that name places of the machine that trained, and what they are elsewhere.
_PLACES = dict.fromkeys(("data_dir", "cache_dir", "init_from", "distill", "extend"))
_PLACES |= {"ensemble": [], "backbone_weights": "imagenet"}


def save_preset(
    folder: str | os.PathLike, *workdirs: str | os.PathLike
) -> pathlib.Path:
    """Saves the trained models of runs as a preset.

    Weights are rounded to 8 bits, each channel by its largest value. A backbone with
    weights that come with the package is named and not copied; any other is stored in
    bfloat16.

    Example:
        ```python
        annotator.save_preset("photos", "runs/captioner", "runs/tagger")
        describe = annotator.load("photos")
        ```

    Args:
        folder: The folder to write; what is in it already, such as a model card, stays.
        *workdirs: Workdirs of finished runs: of one, or of a captioner and a tagger
            that read the same network with the same weights.

    Returns:
        The folder.

    Raises:
        FileNotFoundError: When a folder is no run, or its training is not finished.
        ValueError: When two runs are of one task or of different networks, or the
            backbone was trained.
    """
    runs = _trained_runs(workdirs)
    first = next(iter(runs.values()))
    for task, run in runs.items():
        _check_backbone(task, run, first)
    tasks, heads = {}, {}
    for task, run in runs.items():
        model, facts = _HEADS[task.name](run)
        tasks[task.name] = {
            "tap": task.tap(run.config),
            "views": [resize.view for resize in task.views(run.config)],
            "model": preset.describe_head(model),
            "config": run.config.to_json() | _PLACES,
            **facts,
        }
        heads[task.name] = preset.head_weights(model)
        if task is TAGGER and run.files.vectors.is_file():
            heads[preset.TEACHING] = teaching_basis(run).compact()
        if task is TAGGER and (held_out := run.held_out()) is not None:
            heads[preset.HELD_OUT] = held_out.compact()
    manifest = {
        "network": first.config.backbone,
        "backbone_weights": _backbone_weights(folder, runs),
        "tasks": tasks,
    }
    return preset.write_preset(folder, manifest, heads)


def _trained_runs(workdirs: Iterable[str | os.PathLike]) -> dict[Task, Run]:
    runs: dict[Task, Run] = {}
    for workdir in workdirs:
        run = Run.open(workdir)
        trained = [task for task in run.tasks if run.is_trained(task)]
        if not trained:
            raise FileNotFoundError(
                f"{run.files.folder} holds no trained model: end its training first."
            )
        for task in trained:
            if task in runs:
                raise ValueError(
                    f"{runs[task].files.folder} and {run.files.folder} both hold a "
                    f"{task.name}: name one of each."
                )
            runs[task] = run
    if not runs:
        raise ValueError(
            "Name the workdir of a run, or of a captioner's and a tagger's."
        )
    return dict(sorted(runs.items(), key=lambda item: item[0].name))


def _check_backbone(task, run, first):
    if task.trains_backbone(run.config):
        raise ValueError(
            f"The {task.name} in {run.files.folder} was trained with its backbone: "
            "a preset holds heads of a frozen one."
        )
    for name in ("backbone", "backbone_weights"):
        ours, theirs = getattr(run.config, name), getattr(first.config, name)
        if ours != theirs:
            raise ValueError(
                f"{first.files.folder} was trained with --{name}={theirs}, "
                f"{run.files.folder} with {ours}: a preset has one backbone."
            )


def _backbone_weights(folder, runs):
    """`imagenet` if the package has the weights; else they are stored beside."""
    config = next(iter(runs.values())).config
    if config.backbone_weights == "imagenet" and has_packaged(config.backbone):
        return "imagenet"
    taps = dict.fromkeys(task.tap(run.config) for task, run in runs.items())
    backbone = build_backbone(
        config.backbone,
        tuple(taps),
        config.backbone_weights,
        "float32",
        config.seed,
        mixed=True,  # with batch normalization as it is, for all precisions
    )
    package_weights(backbone, pathlib.Path(folder) / preset.BACKBONE)
    return preset.BACKBONE


def _captioner(run: Run) -> tuple[keras.Model, Mapping[str, Any]]:
    return run.captioner(), {}


def _tagger(run: Run) -> tuple[keras.Model, Mapping[str, Any]]:
    config = run.config
    facts = {
        "words": run.words(),
        "top_k": config.top_k,
        "threshold": config.threshold,
        "rank_by": config.rank_by,
        "tag_precision": config.tag_precision,
        "tag_probability": config.tag_probability,
    }
    calibration = run.calibration()
    if calibration is not None:
        slope, offsets = (weight.tolist() for weight in calibration.get_weights())
        facts["calibration"] = {"slope": slope, "offsets": offsets}
    return run.tagger(), facts


_HEADS = {CAPTIONER.name: _captioner, TAGGER.name: _tagger}
