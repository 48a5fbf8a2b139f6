"""The heads of a run: the tasks that read its backbone's regions."""

import abc
import hashlib
import json
from typing import Any, ClassVar

import numpy as np

from annotator.backbones.networks import default_tap
from annotator.config import Config
from annotator.config.captioner import CaptionerSettings
from annotator.config.setting import Settings
from annotator.config.tagger import TaggerSettings
from annotator.datasets import AnnotatedImages
from annotator.images.resize import Resize


class Task(abc.ABC):
    """What the rest of the package has to know of a head.

    How it is trained and exported stands in `annotator.training.run`, how it is scored
    in `annotator.evaluation.run`, both by task.

    Attributes:
        name: Its name, in `--task` and as the name of its folders.
        labels: What it learns, as `AnnotatedImages` calls it: an attribute there, and a
            word for messages.
        settings: The class of its settings.
    """

    name: ClassVar[str]
    labels: ClassVar[str]
    settings: ClassVar[type[Settings]]

    @abc.abstractmethod
    def tap(self, config: Config) -> str | None:
        """The layer it reads: the one that is asked for, or the network's default.

        It is `None` where `build_backbone` has to find it in the network's graph.

        Raises:
            ValueError: If the network is unknown.
        """

    @abc.abstractmethod
    def views(self, config: Config) -> list[Resize]:
        """The views of an image that it reads."""

    @abc.abstractmethod
    def trains_backbone(self, config: Config) -> bool:
        """Whether the backbone is trained together with it."""

    @abc.abstractmethod
    def reads_validation(self, config: Config) -> bool:
        """Whether its training looks at the validation split."""

    @abc.abstractmethod
    def has_labels(self, annotated: AnnotatedImages) -> bool:
        """Whether a split has what it learns."""

    @abc.abstractmethod
    def labeled_rows(self, annotated: AnnotatedImages, rows: np.ndarray) -> np.ndarray:
        """Those of some rows of a split that it can use."""

    @abc.abstractmethod
    def _label_digest(self, annotated: AnnotatedImages, digest: Any) -> None:
        """Adds the labels to a digest."""

    def fingerprint(self, annotated: AnnotatedImages) -> dict:
        """What tells a split's names and labels from others, JSON-ready."""
        digest = hashlib.sha256(json.dumps(annotated.image_ids).encode())
        self._label_digest(annotated, digest)
        return {"images": len(annotated), "SHA-256": digest.hexdigest()}

    def check_labels(self, annotated: AnnotatedImages) -> None:
        """Sees to it that a split has what the task learns.

        Raises:
            ValueError: If it has not; the message names the tasks that do without.
        """
        if not self.has_labels(annotated):
            others = " ".join(
                f"--task={task.name} does without."
                for task in TASKS
                if task.has_labels(annotated)
            )
            raise ValueError(
                f"The split {annotated.split} of the data set {annotated.name} has no "
                f"{self.labels} for the {self.name}. {others}".rstrip()
            )


class TaggerTask(Task):
    """Tags: all views of an image, read by a codebook and the words' means."""

    name = "tagger"
    labels = "tags"
    settings = TaggerSettings

    def tap(self, config: Config) -> str | None:
        kind = "finetuned" if self.trains_backbone(config) else self.name
        return config.tap or default_tap(config.backbone, kind)

    def views(self, config: Config) -> list[Resize]:
        mirrors = (False, True) if config.flip else (False,)
        return [
            Resize(size, config.aspect, config.resize_method, flip)
            for size in config.scales
            for flip in mirrors
        ]

    def trains_backbone(self, config: Config) -> bool:
        return config.scheme.trains_backbone

    def reads_validation(self, config: Config) -> bool:
        return self.trains_backbone(config) and config.holds_out_validation

    def has_labels(self, annotated: AnnotatedImages) -> bool:
        return annotated.tags is not None and bool(annotated.tags.any())

    def labeled_rows(self, annotated: AnnotatedImages, rows: np.ndarray) -> np.ndarray:
        return rows

    def _label_digest(self, annotated: AnnotatedImages, digest: Any) -> None:
        digest.update(json.dumps(annotated.words).encode())
        digest.update(np.asarray(annotated.tags).tobytes())


class CaptionerTask(Task):
    """Captions: one view of an image, read by a decoder."""

    name = "captioner"
    labels = "captions"
    settings = CaptionerSettings

    def tap(self, config: Config) -> str | None:
        return config.captioner_tap or default_tap(config.backbone, self.name)

    def views(self, config: Config) -> list[Resize]:
        return [Resize(config.scales[0], config.aspect, config.resize_method)]

    def trains_backbone(self, config: Config) -> bool:
        return config.finetune_backbone

    def reads_validation(self, config: Config) -> bool:
        return config.holds_out_validation

    def has_labels(self, annotated: AnnotatedImages) -> bool:
        return annotated.captions is not None and any(annotated.captions)

    def labeled_rows(self, annotated: AnnotatedImages, rows: np.ndarray) -> np.ndarray:
        captions = annotated.captions or ()
        captioned = [row for row in rows if captions[row]]
        if len(captioned) < len(rows):
            print(
                f"{len(rows) - len(captioned)} images without a caption are left out "
                f"of {annotated.name} {annotated.split}"
            )
        return np.array(captioned, rows.dtype)

    def _label_digest(self, annotated: AnnotatedImages, digest: Any) -> None:
        digest.update(json.dumps(annotated.captions).encode())


TAGGER, CAPTIONER = TaggerTask(), CaptionerTask()
TASKS: tuple[Task, ...] = (TAGGER, CAPTIONER)


def tasks_of(name: str) -> list[Task]:
    """The tasks that `--task` names: one, or all.

    Args:
        name: Name of a task, or `"all"`.
    """
    return [task for task in TASKS if name in (task.name, "all")]
