"""Scores of images that are left out, against fitting again without each of them."""

import numpy as np
import pytest

from annotator.tagger.choice.leave_one_out import leave_one_out
from annotator.tagger.whitened_means import (
    PRIOR_IMAGES,
    Covariance,
    Whitening,
    fit_whitened_means,
)
from annotator.tagger.word_means import NEVER, WordMeans

RNG = np.random.default_rng(0)
N, D, W = 60, 5, 4
VECTORS = (RNG.normal(size=(N, D)) @ RNG.normal(size=(D, D)) + 2).astype(np.float32)
TAGS = RNG.random((N, W)) < 0.3
SHRINKAGE = 0.01


def refitted(row, within):
    """Similarity and typical similarity `[W]`, all sums and the metric without `row`.

    The mean of all vectors and the average of the typical similarities stay; those of
    the other images are taken under the metric of all.
    """
    centered = VECTORS.astype(np.float64) - VECTORS[:within].mean(axis=0, dtype=float)
    scatter = centered[:within].T @ centered[:within]
    ridge = SHRINKAGE * np.trace(scatter) * np.eye(D)
    mine = np.outer(centered[row], centered[row]) if row < within else 0
    metric = np.linalg.inv((scatter - mine + ridge) / within)
    whole = np.linalg.inv((scatter + ridge) / within)
    own = np.einsum("id,de,ie->i", centered, whole, centered)
    kept = 1 - np.where(np.arange(N) < within, own / within, 0)
    similarity, total, counts = [], [], []
    for w in range(W):
        rows = np.flatnonzero(TAGS[:, w])
        rows = rows[rows != row]
        mean = centered[rows].mean(axis=0)
        length = np.sqrt(mean @ metric @ mean)
        similarity.append(centered[row] @ metric @ mean / length)
        left_out = [
            centered[i] @ whole @ centered[rows[rows != i]].mean(axis=0) / kept[i]
            for i in rows
        ]
        total.append(np.sum(left_out) / length)
        counts.append(len(rows))
    return np.array(similarity), np.array(total), np.array(counts)


@pytest.mark.parametrize("within", [N, 40])
def test_equals_fitting_again_without_each_image(within):
    whitening = Whitening.of(Covariance.fit(VECTORS[:within]), SHRINKAGE)
    left_out = leave_one_out(whitening, VECTORS, TAGS)
    means = WordMeans(range(W), D)
    means.add(VECTORS, TAGS)
    margins = [
        fit_whitened_means(means, whitening, VECTORS, TAGS, m, prior_images=0)[1]
        for m in (0.0, 1.0)
    ]
    average = np.mean(margins[0] - margins[1])
    _, plain = fit_whitened_means(means, whitening, VECTORS, TAGS, 0.0)
    _, bias = fit_whitened_means(means, whitening, VECTORS, TAGS, 1.0)
    for row in (0, 1, 2, 45, 59):
        similarity, total, counts = refitted(row, within)
        np.testing.assert_allclose(left_out.similarity[row], similarity, rtol=1e-3)
        shrunk = (total + PRIOR_IMAGES * average) / (counts + PRIOR_IMAGES)
        own = TAGS[row]
        np.testing.assert_allclose(left_out.typical[row][own], shrunk[own], rtol=1e-3)
        # That of a word which it does not carry is that of the fit.
        np.testing.assert_allclose(
            left_out.typical[row][~own], (plain - bias)[~own], rtol=1e-3
        )
    some = leave_one_out(whitening, VECTORS, TAGS, rows=np.array([3, 50]))
    np.testing.assert_allclose(some.scores(0.7), left_out.scores(0.7)[[3, 50]])


def test_a_word_without_another_image_is_never_given():
    tags = TAGS.copy()
    tags[:, 0] = np.arange(N) == 7
    whitening = Whitening.fit(VECTORS, SHRINKAGE)
    scores = leave_one_out(whitening, VECTORS, tags).scores(0.7)
    assert scores[7, 0] == np.float32(NEVER)
    assert (np.delete(scores[:, 0], 7) > -1e3).all()


def test_what_was_not_asked_counts_for_nothing():
    """With the metric of the first set alone, its images score as if they were all."""
    known = np.ones((N, W), bool)
    known[40:] = False
    whitening = Whitening.fit(VECTORS[:40], SHRINKAGE)
    both = leave_one_out(whitening, VECTORS, TAGS & known, known, np.arange(40))
    alone = leave_one_out(whitening, VECTORS[:40], TAGS[:40])
    np.testing.assert_allclose(both.scores(0.7), alone.scores(0.7), atol=1e-4)
