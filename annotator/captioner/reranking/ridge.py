"""Ridge regression of low rank to very many targets, in closed form."""

import dataclasses

import numpy as np
import scipy.sparse

# Ridges that are tried, as shares of the sum of all variances, the strongest first.
RIDGES = tuple(10.0 ** (exponent / 2) for exponent in range(-4, -13, -1))
_ROWS_AT_ONCE = 4096
# Of the largest eigenvalue: below, a direction is nothing but rounding.
_LEAST_VARIANCE = 1e-10
# Rows by which a ridge is judged, and the others that each of them is compared with.
_JUDGED, _NEIGHBORS = 2048, 20


@dataclasses.dataclass(frozen=True)
class LowRankRidge:
    """From vectors to predicted targets: `(x - center) @ inner @ outer + offset`.

    Attributes:
        center: float32 `[d]`, the mean vector.
        inner: float32 `[d, r]`.
        outer: float32 `[r, G]`.
        offset: float32 `[G]`, the mean target.
        ridge: The ridge, as a share of the sum of all variances.
        judged: By ridge, how often a row that is left out is told from another.
    """

    center: np.ndarray
    inner: np.ndarray
    outer: np.ndarray
    offset: np.ndarray
    ridge: float
    judged: dict[float, float]

    @classmethod
    def fit(
        cls,
        vectors: np.ndarray,
        targets: scipy.sparse.csr_matrix,
        rank: int,
        ridges: tuple[float, ...] = RIDGES,
    ) -> "LowRankRidge":
        """Fits the regression.

        Of all ridges the one is taken that ranks best: what is predicted for a row,
        when that row is left out of the fit, is to have a larger product with the row's
        own target than with those of the rows whose vectors are nearest. (The least
        squared error asks for a far stronger ridge: it is reached by what such rows
        have in common, which tells no two captions of one image apart.) Of the
        regression the part of the given rank is kept that is nearest for the rows.

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
        products = np.asarray((targets.T @ z).T)  # [q, G]
        judge = _Judge(z, targets, products, offset)
        judged = {ridge: judge(variances + ridge * variances.sum()) for ridge in ridges}
        ridge = max(judged, key=judged.__getitem__)
        scale = 1 / np.sqrt(variances + ridge * variances.sum())
        squares = scale[:, None] * (products @ products.T) * scale
        _, basis = np.linalg.eigh(squares)
        basis = scale[:, None] * basis[:, ::-1][:, :rank]  # the largest first
        return cls(
            center=np.float32(center),
            inner=np.float32(directions @ basis),
            outer=np.float32(basis.T @ products),
            offset=np.float32(offset),
            ridge=ridge,
            judged=judged,
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


class _Judge:
    """Says of ridges how well rows are ranked that are left out of the fit.

    With f, what is predicted for row i, leaving it out makes of the product of f with a
    target y the product (f y - h y_i y) / (1 - h), where h is the row's leverage.

    Args:
        z: float64 `[N, q]`, the rows.
        targets: float32 `[N, G]`, sparse.
        products: float64 `[q, G]`, of the rows with the targets.
        offset: float64 `[G]`, the mean target.
    """

    def __init__(self, z, targets, products, offset):
        rows = np.linspace(0, len(z) - 1, min(len(z), _JUDGED)).astype(int)
        self._rows, self._share = z[rows], 1 / len(z)
        self._others = _nearest(self._rows, _NEIGHBORS)  # [n, k]
        chosen = targets[rows].astype(np.float64)
        self._products = np.asarray(chosen @ products.T)  # [n, q]
        self._means = np.asarray(chosen @ offset)
        self._overlap = [
            _row_products(chosen, chosen[other]) for other in self._others.T
        ]
        self._own_overlap = _row_products(chosen, chosen)

    def __call__(self, variances):
        """The share of pairs that are told apart, by variances with the ridge `[q]`."""
        shrunk = self._rows / variances
        leverage = (shrunk * self._rows).sum(axis=1) + self._share

        def products(other, overlap):
            predicted = (shrunk * self._products[other]).sum(axis=1)
            return predicted + self._means[other] - leverage * overlap

        own = products(np.arange(len(shrunk)), self._own_overlap)
        pairs = zip(self._others.T, self._overlap, strict=True)
        won = [np.mean(own > products(*pair)) for pair in pairs]
        return float(np.mean(won or 0.0))


def _nearest(rows, count):
    """Indices `[n, k]` of the other rows with the largest cosines."""
    norms = np.linalg.norm(rows, axis=1, keepdims=True)
    units = rows / np.where(norms > 0, norms, 1.0)
    cosines = units @ units.T
    np.fill_diagonal(cosines, -np.inf)
    return np.argsort(-cosines, axis=1, kind="stable")[:, : min(count, len(rows) - 1)]


def _row_products(one, other):
    return np.asarray(one.multiply(other).sum(axis=1)).ravel()
