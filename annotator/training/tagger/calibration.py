"""The calibration of a run's tagger, on images that it did not learn from."""

import keras
import numpy as np

from annotator import files
from annotator.evaluation.scores import predict_scores
from annotator.runs.heads import TAGGER
from annotator.runs.run import Run
from annotator.runs.splits import Split
from annotator.tagger.calibration import fit_calibration
from annotator.tagger.rules.held_out_precision import HeldOutPrecision
from annotator.terminal.progress import FITTING, TAGGING
from annotator.training.tagger.chosen import chosen_settings
from annotator.training.tagger.scores import fit_scores

_FOLDS = 3  # of the training images, where no others are left


def calibrate(
    run: Run,
    tagger: keras.Model,
    words: list[str],
    vectors: np.ndarray | None = None,
    tags: np.ndarray | None = None,
    whitening_rows: int = 0,
    known: np.ndarray | None = None,
) -> None:
    """Writes how probable a tagger's words are by their scores, and how often right.

    The validation images tell it. Where these are learned, or there are none, training
    images do, each scored by a tagger that was fitted without it. Where that cannot be,
    as a network would have to be trained again, nothing is written.

    Args:
        run: The run.
        tagger: From regions to scores `[B, W]`.
        words: The W words.
        vectors: Of the training images, float32 `[N, d]`.
        tags: Of the training images, bool `[N, W]`.
        whitening_rows: As of `fit_scores`.
        known: As of `fit_scores`.
    """
    missing = why_no_validation(run)
    if missing is None:
        split = run.split(TAGGER, "validation")
        size = run.config.batch_size
        where = f"{run.config.dataset} validation"
        running = run.progress.stage(TAGGING, where, -(-len(split) // size), "batch")
        scores = predict_scores(tagger, split, size, running)
        carried, known = _tags_of(split, words)
    elif vectors is not None and tags is not None and len(vectors) >= _FOLDS:
        print(f"training images tell how probable tags are: {missing}")
        with run.progress.stage(FITTING, "the scores of tags, by parts"):
            scores = _cross_fitted(run, vectors, tags, whitening_rows, known)
        carried = tags
    else:
        print(f"nothing tells how probable tags are, so scores stay: {missing}")
        return
    if known is not None and not known.any():
        print("no validation image has a tag that is known, so scores stay")
        return
    slope, offsets = fit_calibration(scores, carried, known)
    HeldOutPrecision.fit(scores, carried, known).save(run.files.held_out)
    with files.atomic_path(run.files.calibration) as temporary:
        np.savez(temporary, slope=slope, offsets=offsets)


def why_no_validation(run: Run) -> str | None:
    """Why there are no validation images to calibrate a tagger by; `None` if there are.

    Args:
        run: The run.
    """
    if not run.config.holds_out_validation:
        return f"--train_split={run.config.train_split} learns the others"
    try:
        TAGGER.check_labels(run.annotated("validation"))
    except (ValueError, FileNotFoundError) as error:
        return str(error)
    return None


def _tags_of(split: Split, words: list[str]) -> tuple[np.ndarray, np.ndarray]:
    """bool `[N, W]` twice: the tags of a split's images, and where they are known."""
    tags = np.zeros((len(split), len(words)), bool)
    known, carried = np.zeros_like(tags), np.asarray(split.annotated.tags)
    asked = split.annotated.known
    if asked is None:
        asked = np.ones(carried.shape, bool)
    own = {word: column for column, word in enumerate(words)}
    for column, word in enumerate(split.annotated.words):
        if word in own:
            tags[:, own[word]] = carried[:, column]
            known[:, own[word]] = asked[:, column]
    return tags, known


def _cross_fitted(run, vectors, tags, whitening_rows, known):
    """Scores `[N, W]` of images by taggers that were fitted without them."""
    config = chosen_settings(run.config, run.files)
    fold = np.random.default_rng(run.config.seed).permutation(len(tags)) % _FOLDS
    scores = np.empty(tags.shape, np.float32)
    for part in range(_FOLDS):
        others = np.flatnonzero(fold != part)
        layer, _ = fit_scores(
            config,
            vectors[others],
            tags[others],
            int(np.sum(others < whitening_rows)),
            None if known is None else known[others],
        )
        for rows in np.array_split(np.flatnonzero(fold == part), -(-len(tags) // 256)):
            if len(rows):
                scores[rows] = layer(vectors[rows]).numpy()
    return scores
