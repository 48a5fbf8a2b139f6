"""Probabilities held against what came true: numbers for a file, lines for a table."""

from collections.abc import Callable, Iterable
from typing import Any

import numpy as np

from annotator.metrics.reliability import reliability
from annotator.runs.run import Run


def reliability_facts(
    probabilities: np.ndarray, right: np.ndarray
) -> dict[str, Any] | None:
    """How far probabilities can be believed.

    Args:
        probabilities: float `[M]`.
        right: bool `[M]`.

    Returns:
        JSON-ready: `calibration_error`, and the lists `said`, `happened` and `counts`
        of `Reliability`; `None` without any probability.
    """
    if not len(probabilities):
        return None
    bins = reliability(probabilities, right)
    return {
        "calibration_error": bins.error,
        "said": bins.said.tolist(),
        "happened": bins.happened.tolist(),
        "counts": bins.counts.tolist(),
    }


def reliability_lines(facts: dict[str, Any], counted: str) -> list[str]:
    """Three lines with a column a tenth of the scale.

    Args:
        facts: From `reliability_facts`.
        counted: What was counted, such as `"tags"`.
    """
    return [
        "probability in %" + _cells(100 * said for said in facts["said"]),
        "right in %      " + _cells(100 * part for part in facts["happened"]),
        f"{counted:16}" + "".join(f"{count:8}" for count in facts["counts"]),
    ]


def out_of_sample(
    run: Run,
    split: str,
    images: int,
    predict: Callable[[np.ndarray | None, np.ndarray], np.ndarray | None],
) -> np.ndarray:
    """Probabilities of a split's images by a calibration that was fitted to others.

    That of a run was fitted to its validation images. On these, each half is told of by
    one that is fitted to the other half.

    Args:
        run: The run, calibrated.
        split: Name of the split.
        images: N, how many images it has.
        predict: Called with the rows that a calibration is to be fitted to, int `[n]`,
            or with `None` for the run's own, and with the rows whose probabilities are
            asked for; returns these, or `None` if those rows tell nothing.

    Returns:
        Probabilities `[N, ...]`.
    """
    everything = np.arange(images)
    if _calibrated_by(run, split) and images > 1:
        half = np.random.default_rng(run.config.seed).permutation(images) % 2
        rows = [np.flatnonzero(half == part) for part in range(2)]
        parts = [predict(rows[1 - part], rows[part]) for part in range(2)]
        if all(part is not None for part in parts):
            probabilities = np.concatenate(parts)
            return probabilities[np.argsort(np.concatenate(rows))]
    return predict(None, everything)


def _calibrated_by(run, split):
    """Whether a run's calibrations were fitted to the images of a split."""
    config = run.config
    return (
        split == "validation"
        and config.holds_out_validation
        and run.learned_dataset is None
    )


def _cells(numbers: Iterable[float]) -> str:
    return "".join(f"{number:8.1f}" for number in numbers)
