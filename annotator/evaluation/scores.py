"""The scores of a run's models on a split, by task."""

import dataclasses
import re
import time
from collections.abc import Callable, Sequence

import keras
import numpy as np

from annotator import files
from annotator.evaluation import captioning
from annotator.evaluation.caption_probabilities import (
    caption_reliability,
    caption_reliability_note,
)
from annotator.evaluation.scene_check import scene_note, share_of_right_captions
from annotator.evaluation.tables import caption_table, compared_note, tag_table
from annotator.evaluation.tag_probabilities import reliability_note, tag_reliability
from annotator.evaluation.unknown_words import (
    caption_words_note,
    tags_note,
    unknown_caption_words,
    unknown_tags,
)
from annotator.metrics import captions as caption_metrics
from annotator.metrics import published
from annotator.metrics import tags as tag_metrics
from annotator.metrics.tag_intervals import tag_intervals
from annotator.runs.heads import CAPTIONER, TAGGER, Task
from annotator.runs.run import Run
from annotator.runs.splits import Split
from annotator.tagger.top_tags import TopTags
from annotator.tagger.word_scores import NEVER
from annotator.terminal.progress import SCORING, TAGGING, Running, track

_BOOTSTRAP_SAMPLES = 1000


@dataclasses.dataclass(frozen=True)
class TagResults:
    """What a tagger said of the N images of a split.

    Attributes:
        words: Its W words.
        scores: float32 `[N, W]`.
        predicted: bool `[N, W]`, whether an image was given the word.
        true: bool `[N, W]`, whether it carries it.
        known: bool `[N, W]`, whether it was asked for it.
        probabilities: float32 `[N, W]`; `None` without calibration.
    """

    words: Sequence[str]
    scores: np.ndarray
    predicted: np.ndarray
    true: np.ndarray
    known: np.ndarray
    probabilities: np.ndarray | None


@dataclasses.dataclass(frozen=True)
class Scored:
    """What was measured of a model.

    Attributes:
        metrics: Scores, fractions and counts, JSON-ready.
        table: The same as text, in percent.
        lines: For each image of the split, in order, the line that a contact sheet
            shows of it.
        tags: What was said image by image, if it was tags.
        seconds: What the model took for the split, its features at hand.
    """

    metrics: dict
    table: str
    lines: Sequence
    tags: TagResults | None = None
    seconds: float | None = None


def predict_scores(
    tagger: keras.Model,
    split: Split,
    batch_size: int,
    running: Running | None = None,
) -> np.ndarray:
    """Scores float32 `[N, W]` of the images of a split.

    Args:
        tagger: From regions to scores.
        split: The images.
        batch_size: Images computed together.
        running: The stage that batches are the steps of, if it is told of.
    """
    batches = split.regions(batch_size)
    if running is not None:
        batches = track(batches, running)
    return np.concatenate([tagger(regions).numpy() for regions in batches])


def score_tagger(run: Run, name: str, compare: bool) -> Scored:
    """Scores a run's tagger; writes a table of its words.

    Args:
        run: The run.
        name: Name of the split.
        compare: Whether the published rows join the table.

    Raises:
        ValueError: If the split has tags that the tagger does not know, and is one of
            its own data set, or none that it knows.
    """
    split, words = run.split(TAGGER, name), run.words()
    columns = _known_columns(run, name, split.annotated.words, words)
    top = TopTags(words, run.config.top_k, run.config.threshold, run.config.rank_by)
    size = run.config.batch_size
    where = f"{run.config.dataset} {name}"
    running = run.progress.stage(TAGGING, where, -(-len(split) // size), "batch")
    tagger = run.tagger()
    start = time.monotonic()
    scores = predict_scores(tagger, split, size, running)
    seconds = time.monotonic() - start
    true, tags = np.zeros(scores.shape, bool), np.asarray(split.annotated.tags)
    places = {word: place for place, word in enumerate(words)}
    for column, word in columns.items():
        true[:, places[word]] = tags[:, column]
    known, thresholds = _known_words(run, split, columns, places), run.word_thresholds()
    given = scores if thresholds is None else thresholds(scores).numpy()
    calibration = run.calibration()
    probabilities = None if calibration is None else calibration(scores)
    predicted = top.predicted(np.where(known, given, NEVER), probabilities).numpy()
    table = tag_metrics.per_word_table(predicted, true, words)
    path = run.files.word_scores(run.label(name))
    files.write_csv(path, table[0], [row.values() for row in table])
    metrics: dict = {
        **tag_metrics.score_tags(predicted, true, words),
        "mean_average_precision": tag_metrics.mean_average_precision(
            scores, true, known
        ),
        "tag_intervals": tag_intervals(predicted, true, scores, known),
    }
    rows = published.tagger_rows(run.config.dataset) if compare else []
    lines = [
        [(words[w], bool(row[w])) for w in np.flatnonzero(kept)]
        for kept, row in zip(predicted, true, strict=True)
    ]
    note = compared_note(compare, rows, name)
    if probabilities is not None:
        believed = tag_reliability(run, name, scores, true, known, predicted)
        metrics |= believed
        note = reliability_note(believed) + note
    if run.learned_dataset is not None:
        unknown = unknown_tags(tags, split.annotated.words, words)
        all_words = metrics["words"] + len(unknown)
        metrics = {**metrics, "split_words": all_words, "unknown_tags": unknown}
        note += tags_note(metrics)
    if probabilities is not None:
        probabilities = np.asarray(probabilities)
    results = TagResults(words, scores, predicted, true, known, probabilities)
    return Scored(metrics, tag_table(metrics, rows) + note, lines, results, seconds)


def _known_words(run, split, columns, places):
    """Whether an image was asked for a word, bool `[N, W]`: the others are no mistakes.

    That are the words of its own data set, where several were joined, or where another
    one is scored than was learned.
    """
    given = split.annotated.known
    if given is None and run.learned_dataset is None:
        return np.ones((len(split), len(places)), bool)
    known = np.zeros((len(split), len(places)), bool)
    for column, word in columns.items():
        known[:, places[word]] = True if given is None else given[:, column]
    return known


def _known_columns(run, name, words, known):
    """Columns of a split's words that the tagger knows, too: column -> word."""
    own = set(known)
    columns = {column: word for column, word in enumerate(words) if word in own}
    folder, where = run.files.folder, f"{run.config.dataset} {name}"
    # An extended tagger knows more words than its data set, but none fewer.
    if run.learned_dataset is None and len(columns) < len(words):
        raise ValueError(
            f"The tagger in {folder} was never told of the words "
            f"{sorted(set(words) - own)} of {where}. Teach it these with "
            f"train.py --task=tagger --extend={folder} and another --workdir, or take "
            "them out of the data."
        )
    if not columns:
        raise ValueError(
            f"The tagger in {folder} knows none of the words of {where}: there is "
            "nothing to score it on."
        )
    return columns


def score_captioner(run: Run, name: str, compare: bool) -> Scored:
    """Scores a run's captioner; writes its captions.

    Args:
        run: The run.
        name: Name of the split.
        compare: Whether the published rows join the table.
    """
    split = run.split(CAPTIONER, name)
    said = captioning.describe_split(run, name)
    captions = said.captions
    files.write_json(
        run.files.captions(run.label(name)),
        [
            {"image_id": image_id, "caption": caption}
            for image_id, caption in zip(
                coco_ids(split.annotated.image_ids), captions, strict=True
            )
        ],
    )
    references = split.annotated.captions or ()
    with run.progress.stage(SCORING, "captions"):
        metrics = caption_metrics.score_captions(
            captions,
            references,
            meteor="both",
            bootstrap_samples=_BOOTSTRAP_SAMPLES,
        )
    rows = published.captioner_rows(run.config.dataset) if compare else []
    note = compared_note(compare, rows, name)
    if run.word_probability() is not None:
        believed = caption_reliability(run, name, said, references)
        metrics |= believed
        note = caption_reliability_note(believed) + note
    if run.config.dataset == "shapes":
        metrics["right_captions"] = share_of_right_captions(captions, references)
        note = scene_note(metrics["right_captions"]) + note
    if run.learned_dataset is not None:
        unknown = unknown_caption_words(run.captioner().vocabulary, references)
        metrics = {**metrics, **unknown}
        note += caption_words_note(unknown)
    table = caption_table(metrics, rows) + note
    return Scored(metrics, table, captions, seconds=said.seconds)


SCORES: dict[Task, Callable[[Run, str, bool], Scored]] = {
    TAGGER: score_tagger,
    CAPTIONER: score_captioner,
}


def coco_ids(image_ids: Sequence[str]) -> Sequence[str] | list[int]:
    """Numbers where all the ids are written so: COCO's tools look for numbers.

    Args:
        image_ids: The images' ids.
    """
    numbers = [int(i) for i in image_ids if re.fullmatch("0|[1-9][0-9]*", i)]
    return numbers if len(numbers) == len(image_ids) else image_ids
