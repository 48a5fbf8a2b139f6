"""Whitening, the closed leave-one-out form against refitting, and the margins."""

import numpy as np
import pytest

from annotator.tagger import whitened_means
from annotator.tagger.whitened_means import Whitening, fit_whitened_means, linear_scores
from annotator.tagger.word_means import WordMeans
from annotator.tagger.word_scores import NEVER

RNG = np.random.default_rng(0)
N, D, W = 90, 6, 4
VECTORS = (RNG.normal(size=(N, D)) @ RNG.normal(size=(D, D)) + 2).astype(np.float32)
TAGS = RNG.random((N, W)) < 0.3
SHRINKAGE = 0.01


def word_means(vectors, tags):
    means = WordMeans(range(tags.shape[1]), vectors.shape[1])
    means.add(vectors, tags)
    return means


def fit(vectors=VECTORS, tags=TAGS, rows=None, **options):
    whitening = Whitening.fit(vectors[:rows], SHRINKAGE)
    means = word_means(vectors, tags)
    return fit_whitened_means(means, whitening, vectors, tags, **options)


def test_whitened_vectors_have_the_shrunk_identity_as_covariance():
    whitened = Whitening.fit(VECTORS, 1e-6).apply(VECTORS)
    np.testing.assert_allclose(whitened.mean(axis=0), 0, atol=1e-4)
    covariance = np.cov(whitened.T, bias=True)
    np.testing.assert_allclose(covariance, np.eye(D), atol=0.05)


def test_similarity_is_the_mahalanobis_product():
    centered = VECTORS.astype(np.float64) - VECTORS.mean(axis=0, dtype=np.float64)
    covariance = centered.T @ centered / N
    shrunk = covariance + SHRINKAGE * np.trace(covariance) * np.eye(D)
    means = np.array([centered[TAGS[:, w]].mean(axis=0) for w in range(W)])
    products = centered @ np.linalg.solve(shrunk, means.T)
    lengths = np.sqrt(np.diag(means @ np.linalg.solve(shrunk, means.T)))
    kernel, bias = fit(margin=0.0)
    np.testing.assert_allclose(VECTORS @ kernel + bias, products / lengths, atol=1e-3)


def typical_by_refitting(tags, within):
    """Mean similarity of each word's images, everything refitted without each one.

    The mean of all vectors stays, as in the ridge regression with fixed centring.
    """
    centered = VECTORS.astype(np.float64) - VECTORS[:within].mean(axis=0, dtype=float)
    scatter = centered[:within].T @ centered[:within]
    ridge = SHRINKAGE * np.trace(scatter) * np.eye(D)
    typical = []
    for w in range(W):
        rows = np.flatnonzero(tags[:, w])
        mean = centered[rows].mean(axis=0)
        length = np.sqrt(mean @ np.linalg.solve((scatter + ridge) / within, mean))
        left_out = []
        for i in rows:
            others = centered[rows[rows != i]].mean(axis=0)
            mine = np.outer(centered[i], centered[i]) if i < within else 0
            metric = (scatter - mine + ridge) / within
            left_out.append(centered[i] @ np.linalg.solve(metric, others) / length)
        typical.append(np.mean(left_out))
    return np.array(typical)


@pytest.mark.parametrize("within", [N, 60])
def test_typical_similarity_equals_refitting_without_each_image(within):
    kernel, plain = fit(rows=within, margin=0.0, prior_images=0)
    _, bias = fit(rows=within, margin=1.0, prior_images=0)
    np.testing.assert_allclose(
        plain - bias, typical_by_refitting(TAGS, within), rtol=1e-3
    )


def test_typical_similarity_is_shrunk_to_the_average():
    _, plain = fit(margin=0.0)
    _, none = fit(margin=1.0, prior_images=0)
    _, some = fit(margin=1.0, prior_images=5)
    _, all_ = fit(margin=1.0, prior_images=1e9)
    own, counts = plain - none, TAGS.sum(axis=0)
    np.testing.assert_allclose(plain - all_, own.mean(), rtol=1e-4)
    expected = (counts * own + 5 * own.mean()) / (counts + 5)
    np.testing.assert_allclose(plain - some, expected, rtol=1e-4)


def test_blocks_change_nothing(monkeypatch):
    expected = fit()
    monkeypatch.setattr(whitened_means, "_BLOCK", 7)
    for one, other in zip(fit(), expected, strict=True):
        np.testing.assert_allclose(one, other, atol=1e-3)


def test_words_of_one_image_and_of_none():
    tags = TAGS.copy()
    tags[:, 1] = np.arange(N) == 11
    tags[:, 2] = False
    kernel, bias = fit(tags=tags)
    assert np.isfinite(kernel).all() and np.isfinite(bias).all()
    scores = linear_scores(kernel, bias)(VECTORS).numpy()
    assert (scores[:, 2] == np.float32(NEVER)).all()
    assert scores[11, 1] > scores[:, 1].mean() + scores[:, 1].std()


def test_refuses_what_has_no_metric():
    with pytest.raises(ValueError, match="positive, got 0"):
        Whitening.fit(VECTORS, 0)
    with pytest.raises(ValueError, match="equal"):
        Whitening.fit(np.ones((5, 3), np.float32))


@pytest.mark.parametrize("others", [TAGS, TAGS[:, :0]])
def test_a_word_that_all_images_carry_comes_first_and_spoils_no_other(others):
    tags = np.column_stack([others[:, :1], np.ones(N, bool), others[:, 1:]])
    kernel, bias = fit(tags=tags)
    scores = VECTORS @ kernel + bias
    universal = others[:, :1].shape[1]
    if others.size:
        plain_kernel, plain_bias = fit(tags=others)
        np.testing.assert_allclose(
            np.delete(scores, universal, axis=1), VECTORS @ plain_kernel + plain_bias
        )
    assert (scores[:, universal] == 1e4).all()
    assert (scores.argmax(axis=1) == universal).all()


def test_a_word_is_compared_among_the_images_that_were_asked_for_it():
    """Against refitting: words of the first 50 images, of the others, and of all."""
    known = np.ones((N, W), bool)
    known[50:, 0] = known[50:, 1] = known[:50, 2] = False
    tags = TAGS & known
    kernel, _ = fit(tags=tags, known=known)
    whitening = Whitening.fit(VECTORS, SHRINKAGE)
    covariance = whitening.factor @ whitening.factor.T
    for w in range(W):
        middle = VECTORS[known[:, w]].mean(axis=0, dtype=np.float64)
        # Both sets count alike for the word that both have.
        halves = [VECTORS[rows][tags[rows, w]] for rows in (slice(50), slice(50, N))]
        halves = [half.mean(axis=0, dtype=np.float64) for half in halves if len(half)]
        mean = np.mean(halves, axis=0) - middle
        direction = np.linalg.solve(covariance, mean)
        np.testing.assert_allclose(
            kernel[:, w], direction / np.sqrt(mean @ direction), rtol=1e-4, atol=1e-6
        )
    # The middle of the images that know a word is where its similarity is 0.
    kernel, bias = fit(tags=tags, known=known, margin=0.0)
    for w in range(W):
        scores = VECTORS[known[:, w]] @ kernel[:, w] + bias[w]
        np.testing.assert_allclose(scores.mean(), 0, atol=1e-3)


def test_typical_similarities_of_sets_that_count_alike_are_those_of_refitting():
    """Each image is left out of the weighted mean, the other weights unchanged."""
    known = np.ones((N, 2), bool)
    known[:60, 1] = False
    tags = TAGS[:, :2] & known
    whitening = Whitening.fit(VECTORS, SHRINKAGE)
    options = {"known": known, "prior_images": 0}
    biases = [fit(tags=tags, margin=margin, **options)[1][0] for margin in (0.0, 1.0)]
    z = whitening.apply(VECTORS)  # the middle of word 0 is that of all images
    carries = tags[:, 0]
    counts = carries[:60].sum(), carries[60:].sum()
    weights = np.where(np.arange(N) < 60, 1 / counts[0], 1 / counts[1]) * carries
    weights *= carries.sum() / 2
    length = np.linalg.norm(weights @ z / weights.sum())
    total = 0.0
    for i in np.flatnonzero(carries):
        others = weights.copy()
        others[i] = 0
        leverage = z[i] @ z[i] / N
        total += weights[i] * (z[i] @ (others @ z)) / others.sum() / (1 - leverage)
    expected = total / length / weights.sum()
    np.testing.assert_allclose(biases[0] - biases[1], expected, rtol=1e-3)


def test_what_all_images_were_asked_for_is_what_is_fitted_without_saying_so():
    for ours, plain in zip(fit(known=np.ones((N, W), bool)), fit(), strict=True):
        np.testing.assert_allclose(ours, plain, rtol=1e-5, atol=1e-6)


def test_another_data_set_that_was_not_asked_changes_no_word_but_by_the_metric():
    """With the metric of the first set alone, its words are those fitted without."""
    known = np.ones((N, W), bool)
    known[60:] = False
    whitening = Whitening.fit(VECTORS[:60], SHRINKAGE)
    tags = TAGS & known
    means = word_means(VECTORS, tags)
    ours = fit_whitened_means(means, whitening, VECTORS, tags, known=known)
    alone = fit_whitened_means(
        word_means(VECTORS[:60], tags[:60]), whitening, VECTORS[:60], tags[:60]
    )
    for one, other in zip(ours, alone, strict=True):
        np.testing.assert_allclose(one, other, rtol=1e-5, atol=1e-6)
