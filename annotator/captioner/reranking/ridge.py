"""Ridge regression of low rank to very many targets, in closed form."""

import dataclasses

import numpy as np
import scipy.sparse

# Ridges that are tried, as shares of the sum of all variances.
RIDGES = tuple(10.0 ** (exponent / 2) for exponent in range(-10, -2))
_ROWS_AT_ONCE = 4096
# Of the largest eigenvalue: below, a direction is nothing but rounding.
_LEAST_VARIANCE = 1e-10


@dataclasses.dataclass(frozen=True)
class LowRankRidge:
    """From vectors to predicted targets: `(x - center) @ inner @ outer + offset`.

    Attributes:
        center: float32 `[d]`, the mean vector.
        inner: float32 `[d, r]`.
        outer: float32 `[r, G]`.
        offset: float32 `[G]`, the mean target.
        ridge: The ridge, as a share of the sum of all variances.
        errors: The squared error of rows that are left out, as a share of that of the
            mean target, by ridge.
    """

    center: np.ndarray
    inner: np.ndarray
    outer: np.ndarray
    offset: np.ndarray
    ridge: float
    errors: dict[float, float]

    @classmethod
    def fit(
        cls,
        vectors: np.ndarray,
        targets: scipy.sparse.csr_matrix,
        rank: int,
        ridges: tuple[float, ...] = RIDGES,
    ) -> "LowRankRidge":
        """Fits the regression.

        Of all ridges the one is taken by which rows are predicted best that are left
        out, one at a time, of the fit for themselves; of it the part of the given rank
        that is nearest for these rows (reduced-rank regression).

        Args:
            vectors: float32 `[N, d]`.
            targets: float32 `[N, G]`, sparse.
            rank: r; less where there are fewer directions.
            ridges: What is tried.

        Returns:
            The regression.

        References: Hoerl and Kennard, Ridge regression, 1970; Allen, The relationship
        between variable selection and data augmentation, 1974 (leaving out); Izenman,
        Reduced-rank regression for the multivariate linear model, 1975.
        """
        center = vectors.mean(axis=0, dtype=np.float64)
        offset = np.asarray(targets.mean(axis=0), np.float64).ravel()
        variances, directions = _principal(vectors, center)
        # Everything below happens in the coordinates of these directions: rows z.
        z = np.concatenate([block @ directions for block in _centered(vectors, center)])
        products = np.asarray((targets.T @ z.astype(np.float32)).T)  # [q, G]
        squares = (products @ products.T).astype(np.float64)
        own = np.asarray(targets @ products.T, np.float64) - offset @ products.T
        sums = np.asarray(targets.multiply(targets).sum(axis=1)).ravel()
        sums = sums - 2 * (targets @ offset) + offset @ offset
        errors = {
            ridge: _left_out(ridge * variances.sum(), variances, z, squares, own, sums)
            for ridge in ridges
        }
        ridge = min(errors, key=errors.__getitem__)
        scale = 1 / np.sqrt(variances + ridge * variances.sum())
        _, basis = np.linalg.eigh(scale[:, None] * squares * scale)
        basis = scale[:, None] * basis[:, ::-1][:, :rank]  # the largest first
        return cls(
            center=np.float32(center),
            inner=np.float32(directions @ basis),
            outer=basis.T.astype(np.float32) @ products,
            offset=np.float32(offset),
            ridge=ridge,
            errors=errors,
        )


def _centered(vectors, center):
    """Blocks of rows, float64, their mean taken off."""
    for start in range(0, len(vectors), _ROWS_AT_ONCE):
        yield vectors[start : start + _ROWS_AT_ONCE] - center


def _principal(vectors, center):
    """Variances (summed over rows) `[q]` and directions `[d, q]` of all that varies.

    Of the products of columns and those of rows the smaller matrix is taken apart.
    """
    rows, columns = vectors.shape
    if columns <= rows:
        gram = sum(block.T @ block for block in _centered(vectors, center))
        variances, directions = np.linalg.eigh(gram)
    else:
        centered = vectors - center
        variances, left = np.linalg.eigh(centered @ centered.T)
        positive = variances > 0
        variances = variances[positive]
        directions = centered.T @ (left[:, positive] / np.sqrt(variances))
    kept = variances > _LEAST_VARIANCE * variances.max(initial=0.0)
    return variances[kept], directions[:, kept]


def _left_out(ridge, variances, z, squares, own, sums):
    """The squared error of rows that are left out, as a share of the mean target's.

    Leaving out row i divides its residual by 1 minus its leverage.
    """
    shrunk = z / (variances + ridge)
    leverage = (shrunk * z).sum(axis=1) + 1 / len(z)
    residual = sums - 2 * (shrunk * own).sum(axis=1)
    residual += ((shrunk @ squares) * shrunk).sum(axis=1)
    error = (residual / np.maximum(1 - leverage, 1e-6) ** 2).sum()
    return float(error / max(sums.sum(), 1e-12))  # 0 where all images say the same
