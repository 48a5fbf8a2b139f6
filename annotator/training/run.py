"""The training of a run, from its settings to its exports."""

import contextlib
import dataclasses
import os
import pathlib
from collections.abc import Callable

import tensorflow as tf

from annotator import files
from annotator.config import Config
from annotator.evaluation.run import evaluate_run
from annotator.export import serving_files, versions
from annotator.export.saved_model import saved_model_paths
from annotator.runs.heads import CAPTIONER, TAGGER, TASKS, Task
from annotator.runs.run import Run
from annotator.runs.start import check_start
from annotator.terminal.progress import EXPORTING, NoBars, Progress
from annotator.training import workers
from annotator.training.captioner.fit import train_captioner
from annotator.training.exports import export_captioner, export_tagger, is_current
from annotator.training.plan import training_plan
from annotator.training.tagger.fit import train_tagger


@dataclasses.dataclass(frozen=True)
class Stages:
    """How a task gets from a run's settings to its export.

    Attributes:
        is_shared: Whether the workers of `TF_CONFIG` train together.
        train: Trains, or goes on, or finds that all is done.
        export: Exports what was trained; returns the paths of `saved_model.save`.
    """

    is_shared: Callable[[Run], bool]
    train: Callable[[Run], None]
    export: Callable[[Run], list[pathlib.Path]]


STAGES: dict[Task, Stages] = {
    TAGGER: Stages(
        is_shared=lambda run: TAGGER.trains_backbone(run.config),
        train=train_tagger,
        export=export_tagger,
    ),
    CAPTIONER: Stages(
        is_shared=lambda run: True,
        train=train_captioner,
        export=export_captioner,
    ),
}


def train(
    config: Config,
    workdir: str | os.PathLike,
    eval_split: str | None = None,
    progress: Progress | None = None,
) -> tuple[dict, str, list[pathlib.Path]]:
    """Runs a training from its settings to its exports; continues one that was cut off.

    Args:
        config: `Config`.
        workdir: Folder of the run, the whole of its state beside the feature cache.
        eval_split: Split on which the trained models are scored; by default validation,
            or test where that is learned.
        progress: What is told of how far the run is; by default a bar a stage.

    Returns:
        `(metrics, table, exports)`: see `evaluation.run.evaluate`; `exports` are the
        paths of the SavedModel of each model, and of its `.keras` file where
        `config.keras_file` asks for one. All are empty for workers of `TF_CONFIG` other
        than the first.

    Raises:
        ValueError: If the settings are wrong, or `workdir` holds another run or one of
            other data.
        BlockingIOError: If another process trains in `workdir`.
    """
    config.check_request()
    workers.strategy()  # before TensorFlow does anything
    return train_run(Run(config, workdir, progress=progress), eval_split)


def train_run(
    run: Run, eval_split: str | None = None
) -> tuple[dict, str, list[pathlib.Path]]:
    """Trains a `Run`; see `train`."""
    if eval_split is None:
        eval_split = "validation" if run.config.holds_out_validation else "test"
    if not workers.is_chief():
        run.progress = NoBars()
        for task in run.tasks:
            if STAGES[task].is_shared(run):
                STAGES[task].train(run)
        return {}, "", []
    if CAPTIONER in run.tasks:  # first: the data set may have to be drawn
        check_start(run.config)
    run.check(_splits(run, eval_split))
    with run.locked():
        run.claim()
        for folder in [
            run.files.export,
            *(run.files.task(task.name) for task in TASKS),
        ]:
            files.remove_leftovers(folder.rglob(".*"))
        run.progress.expect(training_plan(run, eval_split))
        exports = []
        for task in run.tasks:
            exports += _complete(run, task)
        # Also where an earlier try was cut off right after an export.
        serving_files.write_config(run.files.export)
        metrics, table = evaluate_run(run, eval_split)
        _log(run, eval_split, metrics)
    return metrics, table, exports


def _splits(run, eval_split):
    """Names of the splits that a training reads, each once."""
    names = [run.config.train_split]
    if any(task.reads_validation(run.config) for task in run.tasks):
        names.append("validation")
    return dict.fromkeys([*names, eval_split])


def _complete(run, task):
    """Does what is left to do for a task; returns the paths of its exports."""
    stages = STAGES[task]
    with run.stopwatch.timing(run.files.training(task.name)):
        stages.train(run)
    exported = versions.latest(run.files.export, task.name)
    if exported is not None and is_current(run, task, exported[1]):
        folder, _ = exported
        return saved_model_paths(folder, task.name, run.config.keras_file)
    with run.progress.stage(EXPORTING, f"the {task.name}"):
        return stages.export(run)


def _log(run, split, metrics):
    writer = tf.summary.create_file_writer(str(run.files.logs(split)))
    with contextlib.closing(writer), writer.as_default(step=0):
        for name, value in metrics.items():
            if isinstance(value, (int, float)):
                tf.summary.scalar(name, value)
