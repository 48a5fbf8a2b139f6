"""Probabilities of tags held against the tags of a split."""

from typing import Any

import numpy as np

from annotator.metrics.reliability import Reliability, reliability
from annotator.runs.run import Run
from annotator.tagger.calibration import CalibratedProbabilities, fit_calibration


def tag_reliability(
    run: Run,
    split: str,
    scores: np.ndarray,
    true: np.ndarray,
    known: np.ndarray,
    predicted: np.ndarray,
) -> dict[str, Any]:
    """How far the probabilities of a run's tags can be believed.

    The calibration of a run was fitted to its validation images. On these, each half is
    told of by a calibration that is fitted to the other half.

    Args:
        run: The run, calibrated.
        split: Name of the split.
        scores: float `[N, W]`.
        true: bool `[N, W]`, whether an image carries a word.
        known: bool `[N, W]`, whether it was asked for it.
        predicted: bool `[N, W]`, the tags that are given.

    Returns:
        `tag_reliability` and `word_reliability`, of the tags that are given and of all
        words that images were asked for, JSON-ready: `calibration_error`, and the
        lists `said`, `happened` and `counts` of `Reliability`; `None` without any.
    """
    if _tells_the_calibration(run, split) and len(scores) > 1:
        probabilities = _of_halves(run, scores, true, known)
    else:
        probabilities = _probabilities(run.calibration(), scores)
    given = predicted & known
    return {
        "tag_reliability": _facts(probabilities[given], true[given]),
        "word_reliability": _facts(probabilities[known], true[known]),
    }


def reliability_note(metrics: dict[str, Any]) -> str:
    """Lines below a table of tags: the mean errors, and a column a tenth of the scale.

    Args:
        metrics: From `tag_reliability`.
    """
    tags, words = metrics["tag_reliability"], metrics["word_reliability"]
    if tags is None:
        return ""
    return "\n".join(
        [
            "",
            "probabilities of the tags: off by "
            f"{100 * tags['calibration_error']:.1f} points in the mean, those of all "
            f"words by {100 * words['calibration_error']:.2f}",
            "probability in %" + _cells(100 * said for said in tags["said"]),
            "right in %      " + _cells(100 * part for part in tags["happened"]),
            "tags            " + "".join(f"{n:8}" for n in tags["counts"]),
        ]
    )


def _cells(numbers):
    return "".join(f"{number:8.1f}" for number in numbers)


def _facts(probabilities, right):
    if not len(probabilities):
        return None
    bins: Reliability = reliability(probabilities, right)
    return {
        "calibration_error": bins.error,
        "said": bins.said.tolist(),
        "happened": bins.happened.tolist(),
        "counts": bins.counts.tolist(),
    }


def _tells_the_calibration(run, split):
    """Whether the calibration was fitted to the images of a split."""
    config = run.config
    return (
        split == "validation"
        and config.holds_out_validation
        and run.learned_dataset is None
    )


def _of_halves(run, scores, true, known):
    """Probabilities `[N, W]`, each by a calibration that knows nothing of its image."""
    half = np.random.default_rng(run.config.seed).permutation(len(scores)) % 2
    probabilities = np.empty(scores.shape, np.float32)
    for part in range(2):
        here, there = half == part, half != part
        if not known[there].any():
            return _probabilities(run.calibration(), scores)
        fitted = fit_calibration(scores[there], true[there], known[there])
        layer = CalibratedProbabilities.from_fit(*fitted)
        probabilities[here] = _probabilities(layer, scores[here])
    return probabilities


def _probabilities(calibration, scores):
    return np.asarray(calibration(scores))
