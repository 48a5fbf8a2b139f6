"""Probabilities of tags held against the tags of a split."""

from typing import Any

import numpy as np

from annotator.evaluation.reliability_table import (
    out_of_sample,
    reliability_facts,
    reliability_lines,
)
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
    """How far the probabilities of a run's tags can be believed; see `out_of_sample`.

    Args:
        run: The run, calibrated.
        split: Name of the split.
        scores: float `[N, W]`.
        true: bool `[N, W]`, whether an image carries a word.
        known: bool `[N, W]`, whether it was asked for it.
        predicted: bool `[N, W]`, the tags that are given.

    Returns:
        `tag_reliability` and `word_reliability`, of the tags that are given and of all
        words that images were asked for, as of `reliability_facts`.
    """

    def predict(fitted_to, rows):
        calibration = run.calibration()
        if fitted_to is not None:
            if not known[fitted_to].any():
                return None
            arrays = (array[fitted_to] for array in (scores, true, known))
            calibration = CalibratedProbabilities.from_fit(*fit_calibration(*arrays))
        return np.asarray(calibration(scores[rows]))

    probabilities = out_of_sample(run, split, len(scores), predict)
    given = predicted & known
    return {
        "tag_reliability": reliability_facts(probabilities[given], true[given]),
        "word_reliability": reliability_facts(probabilities[known], true[known]),
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
            *reliability_lines(tags, "tags"),
        ]
    )
