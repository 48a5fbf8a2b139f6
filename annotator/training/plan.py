"""The stages of a training, with estimates of how long they take.

Seconds are those of two slow cores without a GPU; what is measured corrects them.
"""

from collections.abc import Callable

from annotator.evaluation.plan import FeatureStages, evaluation_plan
from annotator.runs.heads import CAPTIONER, TAGGER, Task
from annotator.runs.run import Run
from annotator.terminal.plan import Stage
from annotator.terminal.progress import (
    CAPTIONING,
    DRAFTING,
    ENCODING,
    EPOCH,
    EXPORTING,
    FITTING,
    SAMPLING,
    TAGGING,
)
from annotator.training.captioner.phases import feedback_joins
from annotator.training.captioner.reranking import RERANKER
from annotator.training.tagger.calibration import why_no_validation

# Of an image, unless it says otherwise.
_SECONDS = {
    SAMPLING: 0.005,
    ENCODING: 0.02,
    TAGGING: 0.01,
    DRAFTING: 0.02,
    CAPTIONING: 0.05,
    FITTING: 0.005,
}
_SECONDS_TO_FIT = 15.0
_SECONDS_TO_CHOOSE = 45.0  # what the scores of tags are fitted with
_SECONDS_TO_EXPORT = 15.0
# Of an image in a step: of a captioner of 512 units; of a captioner that learns from
# its own captions; of a network that is trained.
_SECONDS_TO_LEARN = 0.08
_SECONDS_OF_REWARDS = 0.3
_SECONDS_OF_A_NETWORK = 1.0


def training_plan(run: Run, eval_split: str) -> list[Stage]:
    """The stages of `train_run`, in the order in which they come.

    Those whose results are there already are among them.

    Args:
        run: The run.
        eval_split: The split that is scored in the end.
    """
    features = FeatureStages(run)
    stages: list[Stage] = []
    for task in run.tasks:
        if not run.is_trained(task):
            stages += _STAGES[task](run, features)
        stages += _LAST_STAGES.get(task, _none)(run, features)
        stages.append(Stage(EXPORTING, f"the {task.name}", _SECONDS_TO_EXPORT))
    # Captions by which words are calibrated are scored without being made again.
    captioned = [stage for stage in stages if stage.kind == CAPTIONING]
    scoring = evaluation_plan(run, eval_split, run.tasks, features)
    return stages + [stage for stage in scoring if stage not in captioned]


def epoch_name(epoch: int, epochs: int, task: str) -> str:
    """What an epoch is called beside its kind, `EPOCH`.

    Args:
        epoch: Its number, from 0.
        epochs: How many there are.
        task: Name of the task.
    """
    return f"{epoch + 1} of {epochs} of the {task}"


def _tagger(run: Run, features: FeatureStages) -> list[Stage]:
    config = run.config
    images = len(run.annotated(config.train_split))
    stages = features.of(TAGGER, config.train_split)
    if not TAGGER.trains_backbone(config):
        return [
            *stages,
            _stage(SAMPLING, images),
            Stage(FITTING, "projection and codebook", _SECONDS_TO_FIT),
            _stage(ENCODING, images),
            Stage(FITTING, "the scores of tags", _SECONDS_TO_FIT + _SECONDS_TO_CHOOSE),
            *_calibration(run, features),
        ]
    if TAGGER.reads_validation(config):
        stages += features.of(TAGGER, "validation")
    seconds = images * _SECONDS_OF_A_NETWORK
    for epoch in range(config.tag_epochs):
        name = epoch_name(epoch, config.tag_epochs, TAGGER.name)
        stages.append(Stage(EPOCH, name, seconds))
    return stages + _calibration(run, features)


def _calibration(run: Run, features: FeatureStages) -> list[Stage]:
    if why_no_validation(run) is None:
        images, where = len(run.annotated("validation")), f"{run.config.dataset} "
        return [
            *features.of(TAGGER, "validation"),
            _stage(TAGGING, images, where + "validation"),
        ]
    if TAGGER.trains_backbone(run.config):
        return []
    return [Stage(FITTING, "the scores of tags, by parts", 3 * _SECONDS_TO_FIT)]


def _captioner(run: Run, features: FeatureStages) -> list[Stage]:
    config = run.config
    if config.ensemble:
        return []
    images = len(run.annotated(config.train_split))
    validation, selects = 0, CAPTIONER.reads_validation(config)
    stages = features.of(CAPTIONER, config.train_split)
    if selects:
        validation = len(run.annotated("validation"))
        stages += features.of(CAPTIONER, "validation")
    trains = CAPTIONER.trains_backbone(config)
    if config.caption_flip and not trains:
        stages += features.of(CAPTIONER, config.train_split, mirrored=True)
    epochs = config.epochs + config.self_critical_epochs
    drafts = bool(config.rounds) and config.feedback == "draft"
    for epoch in range(epochs):
        rewards = epoch >= config.epochs
        if drafts and epoch >= feedback_joins(config) and not rewards:
            stages.append(_stage(DRAFTING, images))
        seconds = _SECONDS_TO_LEARN * config.units / 512
        if rewards:
            seconds = _SECONDS_OF_REWARDS * config.units / 512
        if trains:
            seconds += _SECONDS_OF_A_NETWORK
        name = epoch_name(epoch, epochs, CAPTIONER.name)
        stages.append(Stage(EPOCH, name, images * seconds))
        if selects:
            stages.append(_stage(CAPTIONING, validation, "validation"))
    return stages


def _after_captioner(run: Run, features: FeatureStages) -> list[Stage]:
    config = run.config
    stages: list[Stage] = []
    if config.rerank and not run.files.reranker.is_file():
        images = len(run.annotated(config.train_split))
        stages += features.of(CAPTIONER, config.train_split)
        stages.append(_stage(FITTING, images, RERANKER))
    if config.holds_out_validation and run.word_probability() is None:
        images = len(run.annotated("validation"))
        stages += features.of(CAPTIONER, "validation")
        stages.append(_stage(CAPTIONING, images, f"{config.dataset} validation"))
    return stages


def _none(run: Run, features: FeatureStages) -> list[Stage]:
    return []


def _stage(kind, images, detail="images"):
    return Stage(kind, detail, images * _SECONDS[kind])


_Stages = dict[Task, Callable[[Run, FeatureStages], list[Stage]]]
_STAGES: _Stages = {TAGGER: _tagger, CAPTIONER: _captioner}
# What is made of a trained model, also of one that was trained before.
_LAST_STAGES: _Stages = {CAPTIONER: _after_captioner}
