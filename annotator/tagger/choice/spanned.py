"""Few vectors of many dimensions, in as many coordinates as there are vectors."""

import dataclasses

import numpy as np
import scipy.linalg

_BLOCK = 1024  # rows per matrix product: bounds the memory of a pass
# Of the mean square length: centered vectors are never independent.
_JITTER = 1e-10


@dataclasses.dataclass(frozen=True)
class Spanned:
    """Vectors turned so that all but N of their dimensions are 0, and cut to these N.

    Lengths and angles stay, and with them covariances, whitened products and their
    leave-one-out forms, which now cost powers of N in place of d.

    Attributes:
        coordinates: The vectors without their middle, float64 `[N, N]`.
        middle: What was taken off, float64 `[d]`.
    """

    coordinates: np.ndarray
    middle: np.ndarray

    @classmethod
    def of(cls, vectors: np.ndarray, rows: int | None = None) -> "Spanned":
        """Finds the coordinates by a Cholesky factor of all products.

        Args:
            vectors: Float `[N, d]`; may be a memory map.
            rows: How many of the first vectors the middle is taken from; all by
                default.

        Returns:
            The coordinates.

        Raises:
            ValueError: When all vectors are equal.
        """
        middle = vectors[:rows].mean(axis=0, dtype=np.float64)
        products = np.zeros((len(vectors), len(vectors)))
        for start in range(0, len(vectors), _BLOCK):
            block = vectors[start : start + _BLOCK] - middle
            for other in range(0, start + 1, _BLOCK):
                part = block @ (vectors[other : other + _BLOCK] - middle).T
                products[start : start + len(part), other : other + part.shape[1]] = (
                    part
                )
        length = np.trace(products) / len(products)
        if length <= 0:
            raise ValueError("All vectors are equal: they tell no words apart.")
        products[np.diag_indices_from(products)] += _JITTER * length
        return cls(scipy.linalg.cholesky(products, lower=True), middle)

    def turned_back(self, kernel: np.ndarray, vectors: np.ndarray) -> np.ndarray:
        """A linear map of the coordinates as one of the vectors.

        Args:
            kernel: Float `[N, W]`.
            vectors: As of `of`.

        Returns:
            float64 `[d, W]`; it takes vectors without their middle.
        """
        weights = scipy.linalg.solve_triangular(
            self.coordinates, kernel, lower=True, trans="T"
        )
        turned = np.zeros((len(self.middle), kernel.shape[1]))
        for start in range(0, len(vectors), _BLOCK):
            block = vectors[start : start + _BLOCK] - self.middle
            turned += block.T @ weights[start : start + len(block)]
        return turned
