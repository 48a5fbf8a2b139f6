import numpy as np
import pytest
import scipy.sparse

from annotator.captioner.reranking.ridge import LowRankRidge


def data(rows=30, columns=6, targets=9):
    rng = np.random.default_rng(3)
    vectors = rng.normal(size=[rows, columns]).astype(np.float32) + 2
    true = rng.normal(size=[columns, targets]) * (rng.random(targets) < 0.7)
    values = vectors @ true + rng.normal(size=[rows, targets])
    values[rng.random(values.shape) < 0.5] = 0
    return vectors, scipy.sparse.csr_matrix(np.float32(values))


def predicted(fit, vectors):
    return (vectors - fit.center) @ fit.inner @ fit.outer + fit.offset


def solved(vectors, targets, share):
    """What the normal equations say, with an offset that is not shrunk."""
    x, y = vectors.astype(float), targets.toarray().astype(float)
    centered = x - x.mean(axis=0)
    ridge = share * np.square(centered).sum()
    gram = centered.T @ centered + ridge * np.eye(x.shape[1])
    weights = np.linalg.solve(gram, centered.T @ (y - y.mean(axis=0)))
    return lambda rows: (rows - x.mean(axis=0)) @ weights + y.mean(axis=0), ridge


@pytest.mark.parametrize("columns", [6, 50])  # fewer and more than rows
def test_it_solves_the_normal_equations(columns):
    vectors, targets = data(columns=columns)
    fit = LowRankRidge.fit(vectors, targets, rank=99, ridges=(0.01,))
    want, _ = solved(vectors, targets, 0.01)
    rows = np.random.default_rng(4).normal(size=[5, columns])
    np.testing.assert_allclose(predicted(fit, rows), want(rows), rtol=1e-3, atol=1e-4)


@pytest.mark.parametrize("columns", [6, 50])
def test_ridges_are_judged_by_fits_without_a_row(columns):
    """Each of 30 rows against the 20 others whose vectors are nearest."""
    vectors, targets = data(columns=columns)
    fit = LowRankRidge.fit(vectors, targets, rank=3, ridges=(1e-3, 0.03, 1.0))
    x, y = vectors - vectors.mean(axis=0), targets.toarray()
    for share, found in fit.judged.items():
        _, ridge = solved(vectors, targets, share)
        won = []
        for row in range(len(vectors)):
            rest = np.delete(np.arange(len(vectors)), row)
            centered = vectors[rest] - vectors[rest].mean(axis=0)
            # The ridge stays the one of all rows.
            own = ridge / np.square(centered, dtype=float).sum()
            predict, _ = solved(vectors[rest], targets[rest], own)
            products = y @ predict(vectors[row])
            cosines = x @ x[row] / np.linalg.norm(x, axis=1)
            nearest = rest[np.argsort(-cosines[rest])[:20]]
            won.append(np.mean(products[row] > products[nearest]))
        np.testing.assert_allclose(found, np.mean(won), atol=1e-9)
    assert fit.judged[fit.ridge] == max(fit.judged.values())
    assert len(set(fit.judged.values())) > 1


def test_a_low_rank_is_the_nearest_there_is():
    """The error of a rank is that of the singular values that are left out."""
    vectors, targets = data()
    whole = LowRankRidge.fit(vectors, targets, rank=6, ridges=(0.05,))
    low = LowRankRidge.fit(vectors, targets, rank=2, ridges=(0.05,))
    assert low.inner.shape == (6, 2) and low.outer.shape == (2, 9)
    # The ridge is as good as rows of its own, which are to be met as well.
    x = vectors - vectors.mean(axis=0)
    rows = np.sqrt(0.05 * np.square(x).sum()) * np.eye(6)
    both = np.concatenate([x, rows])
    singular = np.linalg.svd(both @ whole.inner @ whole.outer, compute_uv=False)
    difference = both @ (whole.inner @ whole.outer - low.inner @ low.outer)
    want = np.square(singular[2:]).sum()
    np.testing.assert_allclose(np.square(difference).sum(), want, rtol=1e-3)


def test_equal_images_are_predicted_their_mean():
    targets = scipy.sparse.csr_matrix(np.float32([[1, 0], [0, 3]]))
    fit = LowRankRidge.fit(np.ones((2, 4), np.float32), targets, rank=5)
    np.testing.assert_allclose(predicted(fit, np.ones((1, 4))), [[0.5, 1.5]])
