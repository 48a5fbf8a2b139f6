"""Reliability: whether what is said to be 60 % probable is right in 60 of 100 cases."""

from typing import Any

import numpy as np

_BINS = 10


def reliability(probabilities: np.ndarray, right: np.ndarray) -> dict[str, Any]:
    """Holds probabilities against what came true.

    Args:
        probabilities: float `[N]`, 0 to 1.
        right: bool `[N]`, whether it was so.

    Returns:
        A JSON-ready dictionary:

        - `calibration_error`: the expected calibration error, the mean difference
          between the mean probability of a tenth of the scale and the share of it that
          is right, each tenth as often as it occurs; `None` of no cases;
        - `bins`: a dictionary for each tenth that occurs: `from`, `to`, `count`,
          `probability` (the mean) and `right` (a fraction).

    Raises:
        ValueError: When the shapes differ, or a value is no probability.

    Source: Guo et al., "On calibration of modern neural networks", ICML 2017, section
    2; Naeini et al., "Obtaining well calibrated probabilities using Bayesian binning",
    AAAI 2015.
    """
    probabilities = np.asarray(probabilities, np.float64)
    right = np.asarray(right, bool)
    if probabilities.ndim != 1 or probabilities.shape != right.shape:
        raise ValueError(
            "`probabilities` and `right` must be of one shape [N], got "
            f"{probabilities.shape} and {right.shape}."
        )
    # Not `any(... < 0)`: a comparison with NaN is false.
    if not np.all((probabilities >= 0) & (probabilities <= 1)):
        raise ValueError("`probabilities` holds values that are not from 0 to 1.")
    tenths = np.minimum((probabilities * _BINS).astype(int), _BINS - 1)
    bins, error = [], 0.0
    for tenth in np.unique(tenths):
        here = tenths == tenth
        mean, share = float(probabilities[here].mean()), float(right[here].mean())
        count = int(np.count_nonzero(here))
        error += count / len(right) * abs(mean - share)
        bins.append(
            {
                "from": int(tenth) / _BINS,
                "to": (int(tenth) + 1) / _BINS,
                "count": count,
                "probability": mean,
                "right": share,
            }
        )
    return {"calibration_error": error if bins else None, "bins": bins}
