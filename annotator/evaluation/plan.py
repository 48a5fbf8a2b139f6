"""The stages of an evaluation, with estimates of how long they take.

Seconds are those of two slow cores without a GPU; what is measured corrects them.
"""

from annotator.runs.heads import CAPTIONER, TAGGER, Task
from annotator.runs.run import Run
from annotator.terminal.plan import Stage
from annotator.terminal.progress import CAPTIONING, FEATURES, SCORING, TAGGING

_SECONDS_AN_IMAGE = 0.3  # of a network, at 224 x 224 pixels
_SECONDS_A_CAPTION = 0.05
_SECONDS_OF_TAGS = 0.01  # of an image
_SECONDS_OF_SCORES = 20.0  # METEOR's server, and intervals


class FeatureStages:
    """The passes of a run's backbones, each of which is made once.

    Args:
        run: The run.
    """

    def __init__(self, run: Run) -> None:
        self._run = run
        self._seen: set[tuple] = set()

    def of(self, task: Task, split: str, mirrored: bool = False) -> list[Stage]:
        """The passes over a split that a task needs and no task before it.

        Args:
            task: The task.
            split: The split.
            mirrored: Whether the mirror images are read.
        """
        config, annotated = self._run.config, self._run.annotated(split)
        own = task.name if task.trains_backbone(config) else ""
        stages = []
        for resize in task.views(config):
            flip = resize.flip != mirrored
            key = (own, task.tap(config), split, resize.size, flip)
            if key in self._seen:
                continue
            self._seen.add(key)
            an_image = _SECONDS_AN_IMAGE * (resize.size / 224) ** 2
            for part in annotated.parts or (annotated,):
                detail = f"{part.name} {part.split}"
                stages.append(Stage(FEATURES, detail, len(part) * an_image))
        return stages


def evaluation_plan(
    run: Run, split: str, tasks: list[Task], features: FeatureStages
) -> list[Stage]:
    """The stages of `evaluate_run`.

    Args:
        run: The run.
        split: The split that is scored.
        tasks: The tasks whose models are scored.
        features: The passes that are planned already.
    """
    stages, where = [], f"{run.config.dataset} {split}"
    images = len(run.annotated(split))
    if TAGGER in tasks:
        stages += features.of(TAGGER, split)
        stages.append(Stage(TAGGING, where, images * _SECONDS_OF_TAGS))
    if CAPTIONER in tasks:
        stages += features.of(CAPTIONER, split)
        stages.append(Stage(CAPTIONING, where, images * _SECONDS_A_CAPTION))
        stages.append(Stage(SCORING, "captions", _SECONDS_OF_SCORES))
    return stages
