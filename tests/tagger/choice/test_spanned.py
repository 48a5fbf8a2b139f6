"""Few vectors in few coordinates: the same products, the same scores."""

import numpy as np
import pytest

from annotator.tagger.choice import spanned as module
from annotator.tagger.choice.spanned import Spanned
from annotator.tagger.mean_scores import fit_mean_scores
from annotator.tagger.whitened_means import Whitening, fit_whitened_means
from annotator.tagger.word_means import WordMeans

RNG = np.random.default_rng(0)
N, D, W = 20, 30, 4
VECTORS = (RNG.normal(size=(N, D)) + 2).astype(np.float32)
VECTORS[7] = VECTORS[3]
TAGS = RNG.random((N, W)) < 0.4
KNOWN = np.ones((N, W), bool)
KNOWN[12:, 0] = False


def test_lengths_and_angles_stay(monkeypatch):
    monkeypatch.setattr(module, "_BLOCK", 7)
    spanned = Spanned.of(VECTORS)
    centered = VECTORS - VECTORS.mean(axis=0, dtype=np.float64)
    products = spanned.coordinates @ spanned.coordinates.T
    np.testing.assert_allclose(products, centered @ centered.T, atol=1e-6)
    kernel = RNG.normal(size=(D, W))
    back = spanned.turned_back(spanned.coordinates.T @ centered @ kernel, VECTORS)
    scatter = centered.T @ centered
    np.testing.assert_allclose(back, scatter @ kernel, atol=1e-6)


@pytest.mark.parametrize("rows", [None, 15])
@pytest.mark.parametrize("known", [None, KNOWN], ids=["alone", "joined"])
def test_scores_are_those_of_all_dimensions(rows, known):
    tags = TAGS if known is None else TAGS & known
    means = WordMeans(range(W), D)
    means.add(VECTORS, tags)
    kernel, bias = fit_whitened_means(
        means, Whitening.fit(VECTORS[:rows], 1e-2), VECTORS, tags, 0.7, known=known
    )
    (scores,), _ = fit_mean_scores(
        VECTORS, tags, "whitened", 1e-2, 0.7, 0.0, rows, known
    )
    fresh = RNG.normal(size=(5, D)).astype(np.float32)
    for these in (VECTORS, fresh):
        np.testing.assert_allclose(
            scores(these), these @ kernel + bias, rtol=1e-3, atol=1e-3
        )


def test_equal_vectors_tell_nothing():
    with pytest.raises(ValueError, match="equal"):
        Spanned.of(np.ones((5, 9), np.float32))
