"""A run: settings and a folder, and whatever follows from the two, made once."""

import contextlib
import dataclasses
import os
import re
from collections.abc import Iterable, Iterator
from typing import Any

import keras
import numpy as np

from annotator import datasets, files
from annotator.backbones.backbone import build_backbone, check_sizes, identity_backbone
from annotator.backbones.precision import resolve_precision
from annotator.config import Config
from annotator.datasets import AnnotatedImages
from annotator.features.extraction import extract
from annotator.features.joined_cache import JoinedCache
from annotator.images.resize import Resize
from annotator.runs import settings_file
from annotator.runs.full_disk import full_disk
from annotator.runs.heads import Task, tasks_of
from annotator.runs.splits import Split
from annotator.runs.stopwatch import Stopwatch
from annotator.runs.trained_models import TrainedModels
from annotator.runs.workdir import Workdir
from annotator.terminal.progress import Bars, Progress

_NO_FILES = ("imagenet", "random")
# Training crops are taken from images a seventh larger than a view.
_CROP_MARGIN = 8 / 7


class Run(TrainedModels):
    """The owner of all that belongs to a run.

    Annotations, backbones, splits and trained models are made when they are first asked
    for, and kept: a frozen backbone is built once for each layer that is read, each
    split's files are hashed once, and a trained model is loaded once.

    Args:
        config: `Config`.
        workdir: Folder of the run, the whole of its state beside the feature cache.
        learned_dataset: Name of the data set that was learned, if `config` names
            another one to score the run on.
        progress: What is told of how far the run is; by default a bar a stage.

    Attributes:
        config: `Config`, with absolute paths and a definite precision.
        learned_dataset: As given.
        progress: As given.
        files: `Workdir`, the paths in that folder.
        tasks: The `Task`s that `config.task` names.
        stopwatch: What times their trainings; it stands still while features are made.

    Raises:
        ValueError: If the precision is unknown.

    Example:

    ```python
    run = Run.open("runs/shapes")
    captions = run.captioner().predict(run.split(CAPTIONER, "test").regions(32))
    ```
    """

    def __init__(
        self,
        config: Config,
        workdir: str | os.PathLike,
        learned_dataset: str | None = None,
        progress: Progress | None = None,
    ) -> None:
        weights = config.backbone_weights
        self.config = dataclasses.replace(
            config,
            data_dir=files.absolute(config.data_dir),
            cache_dir=files.absolute(config.cache_dir or datasets.default_cache_dir()),
            backbone_weights=(
                weights if weights in _NO_FILES else files.absolute(weights)
            ),
            extend=files.absolute(config.extend),
            init_from=_absolute_folder(config.init_from),
            distill=_absolute_folder(config.distill),
            ensemble=tuple(map(_absolute_folder, config.ensemble)),
            precision=resolve_precision(config.precision),
        )
        super().__init__(Workdir(workdir))
        self.learned_dataset = learned_dataset
        self.progress = progress or Bars()
        self.tasks = tasks_of(config.task)
        self.stopwatch = Stopwatch()
        self._annotated: dict[str, AnnotatedImages] = {}
        self._backbones: dict[Any, keras.Model] = {}
        self._splits: dict[Any, Split] = {}

    @classmethod
    def open(cls, workdir: str | os.PathLike, **overrides: Any) -> "Run":
        """The run of a folder.

        Args:
            workdir: Folder of the run.
            **overrides: `data_dir`, `cache_dir` or `skip_bad_images`, if they shall be
                others than in training; `None` for those. `dataset` names another data
                set to score on, whose `data_dir` is the default one unless given.

        Raises:
            FileNotFoundError: If the folder holds no run.
            ValueError: If its settings cannot be read.
        """
        config = settings_file.load(Workdir(workdir).folder)
        given = {name: value for name, value in overrides.items() if value is not None}
        if given.get("dataset", config.dataset) != config.dataset:
            given.setdefault("data_dir", None)
        learned = config.dataset if "dataset" in given else None
        return cls(dataclasses.replace(config, **given), workdir, learned)

    def label(self, split: str) -> str:
        """What the files of a split's scores are named after.

        Args:
            split: Name of the split. Another data set than the run's own stands before
                it, so that its scores do not replace those.
        """
        if self.learned_dataset is None:
            return split
        return f"{re.sub('[^0-9A-Za-z._-]+', '_', self.config.dataset)}_{split}"

    @contextlib.contextmanager
    def locked(self) -> Iterator[None]:
        """Keeps other processes from training in the folder.

        Raises:
            BlockingIOError: If another process does.
            OSError: If the folder takes no files; the message names it, the reason and
                `--workdir`.
        """
        folder = self.files.folder
        with files.writing_to(folder, "workdir"):
            folder.mkdir(parents=True, exist_ok=True)
            lock = files.open_to_append(self.files.lock)
        with lock, files.writing_to(folder, "workdir"), full_disk(folder):
            files.lock(lock, f"{folder} is being worked on")
            yield

    def claim(self) -> None:
        """Makes the folder this run's, or finds that it is already.

        Raises:
            ValueError: If a run with other settings, or of other data, is kept there,
                or this one was opened to be scored on another data set.
        """
        if self.learned_dataset is not None:
            raise ValueError(
                f"{self.files.folder} was opened to be scored on "
                f"{self.config.dataset}, not to be trained on it."
            )
        settings_file.claim(self.config, self.files.folder)
        for task in self.tasks:
            self._check_same_data(task)

    def check(self, splits: Iterable[str]) -> None:
        """Finds out, before any backbone runs, whether a run has all it will need.

        Args:
            splits: Names of the splits that will be read.

        Raises:
            ValueError: If a split lacks what a task learns, or the network is unknown.
            OSError: If a file of the data set is missing.
        """
        # All are there before one is looked into: a missing file is the plainer fault.
        for annotated in [self.annotated(split) for split in splits]:
            for task in self.tasks:
                task.check_labels(annotated)
        for task in self.tasks:
            task.tap(self.config)

    def is_trained(self, task: Task) -> bool:
        """Whether the training of a task is finished."""
        return self.files.model(task.name).is_file()

    def annotated(self, split: str) -> AnnotatedImages:
        """The images of a split with their annotations."""
        if split not in self._annotated:
            self._annotated[split] = datasets.load(
                self.config.dataset,
                split,
                data_dir=self.config.data_dir,
                cache_dir=self.config.cache_dir,
                skip_bad_images=self.config.skip_bad_images,
                caption_tags=self.config.caption_tags,
            )
        return self._annotated[split]

    def backbone(self, task: Task) -> keras.Model:
        """The backbone whose regions a task reads.

        If it is trained together with the task's model, it is the one of that training,
        which must be finished.

        Raises:
            ValueError: If the network, its layer or its weights cannot be had, or
                images of `config.scales` are too small for them.
        """
        tap = task.tap(self.config)
        trained = task.trains_backbone(self.config)
        # Frozen, it is the same for all tasks that read the same layer.
        key = (tap, task if trained else None)
        if key not in self._backbones:
            weights = self.files.backbone(task.name) if trained else None
            self._backbones[key] = self._build_backbone(task, weights, mixed=trained)
        backbone = self._backbones[key]
        check_sizes(backbone, (view.size for view in task.views(self.config)))
        return backbone

    def trainable_backbone(self, task: Task) -> keras.Model:
        """A backbone to be trained together with a task's model, a new one each time.

        Raises:
            ValueError: As of `backbone`.
        """
        backbone = self._build_backbone(task, trainable=True)
        check_sizes(backbone, (view.size for view in task.views(self.config)))
        return backbone

    def split(self, task: Task, name: str, mirrored: bool = False) -> Split:
        """A split with the feature maps that a task reads, which are made if missing.

        Args:
            task: The task, which also decides what images are of use.
            name: Name of the split.
            mirrored: Whether the views are those of the mirror images.

        Raises:
            ValueError: If the split has nothing that the task could learn or be scored
                by.
        """
        key = (task, name, mirrored)
        if key not in self._splits:
            views = task.views(self.config)
            if mirrored:
                settings = [view.view for view in views]
                views = [Resize(**{**s, "flip": not s["flip"]}) for s in settings]
            self._splits[key] = self._load(task, name, self.backbone(task), views)
        return self._splits[key]

    def pixels(self, task: Task, name: str) -> Split:
        """A split with its images as maps, 0 to 255, which are made if missing.

        Those of the split that is learned are a seventh larger than a view of the task,
        so that crops can be taken.

        Args:
            task: As of `split`.
            name: Name of the split.
        """
        (view,) = [resize.view for resize in task.views(self.config)]
        size = view["size"]
        if name == self.config.train_split:
            size = round(size * _CROP_MARGIN)
        return self._load(
            task, name, identity_backbone(), [Resize(**{**view, "size": size})]
        )

    def _build_backbone(self, task, weights=None, trainable=False, mixed=False):
        return build_backbone(
            self.config.backbone,
            task.tap(self.config),
            weights or self.config.backbone_weights,
            self.config.precision,
            self.config.seed,
            trainable,
            mixed=mixed,
        )

    def _load(self, task, name, backbone, views):
        annotated = self.annotated(name)
        task.check_labels(annotated)
        with self.stopwatch.paused():
            caches = tuple(self._cache(annotated, view, backbone) for view in views)
        bad = {row: reason for cache in caches for row, reason in cache.bad.items()}
        self._list_skipped(annotated, bad)
        rows = np.setdiff1d(np.arange(len(annotated)), list(bad))
        rows = task.labeled_rows(annotated, rows)
        if len(rows) < len(annotated):
            annotated = annotated.select(rows)
        return Split(annotated, rows, caches)

    def _cache(self, annotated, view, backbone):
        if annotated.parts:
            parts = [self._cache(part, view, backbone) for part in annotated.parts]
            return JoinedCache(tuple(parts))
        (layer,) = backbone.output
        return extract(
            annotated,
            view,
            backbone,
            layer,
            self.config.cache_dir,
            skip_bad_images=self.config.skip_bad_images,
            batch_size=self.config.batch_size,
            progress=self.progress,
        )

    def _list_skipped(self, annotated, bad):
        skipped = list(annotated.skipped)
        skipped += [(annotated.image_ids[row], bad[row]) for row in sorted(bad)]
        if skipped:
            path = self.files.skipped_images(self.label(annotated.split))
            files.write_csv(path, ("image", "reason"), skipped)
            print(
                f"{len(skipped)} images of {annotated.name} {annotated.split} skipped: "
                f"{path}"
            )

    def _check_same_data(self, task):
        """Sees to it that a task goes on with the data it began with."""
        annotated = self.annotated(self.config.train_split)
        data = task.fingerprint(annotated)
        path = self.files.data(task.name)
        begun = settings_file.begun(path.parent)
        if begun and path.is_file() and files.read_json(path) != data:
            raise ValueError(
                f"The training images of {annotated.name} or their {task.labels} have "
                f"changed since the {task.name} in {self.files.folder} was begun. Put "
                "them back, or name another --workdir."
            )
        files.write_json(path, data)


def _absolute_folder(name):
    """The absolute path of a folder; what is no folder is a name, and stays."""
    is_folder = name and os.path.isdir(os.path.expanduser(name))
    return files.absolute(name) if is_folder else name
