"""Whether probabilities are right: of what is called 80 % sure, four in five should be.

Source: Guo et al., "On calibration of modern neural networks", ICML 2017.
"""

import dataclasses

import numpy as np


@dataclasses.dataclass(frozen=True)
class Reliability:
    """Probabilities in bins of equal width.

    Attributes:
        said: float64 `[K]`, the mean probability of each bin that is not empty.
        happened: float64 `[K]`, the share of right ones among them.
        counts: int64 `[K]`, how many they are.
    """

    said: np.ndarray
    happened: np.ndarray
    counts: np.ndarray

    @property
    def error(self) -> float:
        """The expected calibration error: the mean distance of the two, a fraction."""
        apart = np.abs(self.said - self.happened)
        return float(np.average(apart, weights=self.counts))


def reliability(
    probabilities: np.ndarray, right: np.ndarray, bins: int = 10
) -> Reliability:
    """Compares probabilities with what came true.

    Args:
        probabilities: float `[M]`, from 0 to 1.
        right: bool `[M]`.
        bins: Number of bins.

    Raises:
        ValueError: When there are none.
    """
    if not len(probabilities):
        raise ValueError("There is no probability that could be compared.")
    row = np.minimum((np.asarray(probabilities) * bins).astype(int), bins - 1)
    counts = np.bincount(row, minlength=bins)
    said = np.bincount(row, probabilities, bins)
    happened = np.bincount(row, right, bins)
    kept = counts > 0
    return Reliability(
        said[kept] / counts[kept], happened[kept] / counts[kept], counts[kept]
    )
