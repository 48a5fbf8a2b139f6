"""How strongly means are shrunk, offset and lifted: chosen by leave-one-out."""

import dataclasses

import numpy as np

from annotator.tagger.choice.leave_one_out import leave_one_out
from annotator.tagger.lift.cooccurrence import MOST_WORDS
from annotator.tagger.lift.left_out_lift import gains, spread
from annotator.tagger.whitened_means import Covariance, Whitening
from annotator.tagger.word_means import NEVER, data_sets

# The first that is tried, and the least and the largest.
SHRINKAGE, _LEAST_SHRINKAGE, _LARGEST_SHRINKAGE = 1e-3, 1e-6, 1.0
# What is tried; where several do equally well, the first.
MARGINS = (0.7, 0.8, 0.6, 0.9, 1.0, 0.5)
LIFTS = (0.0, 0.1, 0.2, 0.3, 0.4)
# Words of an image, as this field's protocol has it.
_WORDS_PER_IMAGE = 5
# Images that are left out, at most; all of them take part in every fit.
_MOST_IMAGES = 8192


@dataclasses.dataclass(frozen=True)
class Strengths:
    """What whitened means are fitted with.

    Attributes:
        shrinkage: See `Whitening.fit`.
        margin: See `fit_whitened_means`.
        lift: See `LabelLift`.
        f1: F1 over words, of five words an image, each image left out of its fit, the
            mean over data sets; `None` where nothing was chosen.
    """

    shrinkage: float
    margin: float
    lift: float
    f1: float | None = None


def choose_strengths(
    vectors: np.ndarray,
    tags: np.ndarray,
    covariance: Covariance,
    known: np.ndarray | None = None,
    shrinkage: float | None = None,
    margin: float | None = None,
    lift: float | None = None,
    seed: int = 0,
) -> Strengths:
    """Chooses what is not given, by the training images alone.

    Each image is scored by means, covariance and lifts that were fitted without it, in
    closed form (`leave_one_out`), and gets its five best words of those that it was
    asked for. Kept is what has the best F1 over words; of data sets that are learned
    together the mean of theirs, or the one with the most words would decide for all.
    The shrinkage is halved or doubled for as long as that helps.

    Args:
        vectors: A vector an image, float `[N, d]`; may be a memory map.
        tags: Whether an image carries a word, bool `[N, W]`.
        covariance: Of the first `covariance.rows` vectors.
        known: As of `fit_whitened_means`.
        shrinkage: If it is given.
        margin: If it is given.
        lift: If it is given.
        seed: Of the choice of the images that are left out, if there are many.

    Returns:
        What is given and what was chosen.
    """
    if shrinkage is not None and margin is not None and lift is not None:
        return Strengths(shrinkage, margin, lift)
    rows = np.arange(len(vectors))
    if len(rows) > _MOST_IMAGES:
        chosen = np.random.default_rng(seed).choice(rows, _MOST_IMAGES, replace=False)
        rows = np.sort(chosen)
    true, asked = tags[rows], None if known is None else known[rows]
    set_of = None if asked is None else data_sets(asked)

    def fit(each):
        """The best margin of a shrinkage, and what scores are with it."""
        whitening = Whitening.of(covariance, each)
        left_out = leave_one_out(whitening, vectors, tags, known, rows)
        worth = {
            share: f1_of_sets(_asked_for(left_out.scores(share), asked), true, set_of)
            for share in (MARGINS if margin is None else (margin,))
        }
        best = max(worth, key=worth.__getitem__)
        scores = _asked_for(left_out.scores(best), asked)
        return Strengths(each, best, 0.0, worth[best]), scores

    if shrinkage is not None:
        best, scores = fit(shrinkage)
    else:
        best, scores = _climb(fit)
    deviation = spread(scores)
    if lift == 0 or tags.shape[1] > MOST_WORDS or not deviation:
        return best
    gained = deviation * gains(scores, deviation, tags, known, rows)
    worth = {
        each: f1_of_sets(scores + np.float32(each) * gained, true, set_of)
        for each in (LIFTS if lift is None else (lift,))
    }
    chosen = max(worth, key=worth.__getitem__)
    return dataclasses.replace(best, lift=chosen, f1=worth[chosen])


def _climb(fit):
    """The best fit that halving, or else doubling, the shrinkage leads to."""
    best = fit(SHRINKAGE)
    for factor in (0.5, 2.0):
        before = best
        while True:
            shrinkage = best[0].shrinkage * factor
            if not _LEAST_SHRINKAGE <= shrinkage <= _LARGEST_SHRINKAGE:
                break
            other = fit(shrinkage)
            if other[0].f1 <= best[0].f1:
                break
            best = other
        if best is not before:
            break
    return best


def _asked_for(scores, asked):
    """Scores, `NEVER` for words that an image was not asked for."""
    return scores if asked is None else np.where(asked, scores, np.float32(NEVER))


def f1_of_sets(
    scores: np.ndarray, tags: np.ndarray, set_of: np.ndarray | None = None
) -> float:
    """`f1_of_best` of each data set, their mean.

    Args:
        scores: As of `f1_of_best`.
        tags: As of `f1_of_best`.
        set_of: The data set of each image, from 0, int `[N]`; `None` for one.
    """
    if set_of is None:
        return f1_of_best(scores, tags)
    sets = [set_of == each for each in range(set_of.max() + 1)]
    return float(np.mean([f1_of_best(scores[own], tags[own]) for own in sets]))


def f1_of_best(
    scores: np.ndarray, tags: np.ndarray, words: int = _WORDS_PER_IMAGE
) -> float:
    """F1 over words of the best words of each image.

    Args:
        scores: Float `[N, W]`; `NEVER` for a word that an image cannot get.
        tags: Whether an image carries a word, bool `[N, W]`.
        words: Words that an image gets.

    Returns:
        The harmonic mean of precision and recall, each averaged over the words that an
        image carries, a fraction.
    """
    words = min(words, scores.shape[1])
    best = np.argpartition(-scores, words - 1, axis=1)[:, :words]
    given = np.zeros(scores.shape, bool)
    np.put_along_axis(given, best, True, axis=1)
    given &= scores > NEVER / 2
    correct, actual = np.sum(given & tags, axis=0), tags.sum(axis=0)
    occurs = actual > 0
    if not correct.any():
        return 0.0
    precision = np.mean((correct / np.maximum(given.sum(axis=0), 1))[occurs])
    recall = np.mean((correct / np.maximum(actual, 1))[occurs])
    return float(2 * precision * recall / (precision + recall))
