"""The choice of strengths: it is honest, and what is given stays."""

import numpy as np
import pytest

from annotator.metrics.tags import score_tags
from annotator.tagger.choice import strengths as module
from annotator.tagger.choice.leave_one_out import LeftOut
from annotator.tagger.choice.strengths import (
    Strengths,
    choose_strengths,
    f1_of_best,
    f1_of_sets,
)
from annotator.tagger.mean_scores import fit_mean_scores
from annotator.tagger.whitened_means import Covariance
from annotator.tagger.word_means import NEVER, data_sets


def draw(images, seed=0, words=12, dimensions=40):
    """Vectors that lean towards the directions of their words, which overlap."""
    directions = np.random.default_rng(3).normal(size=(words, dimensions))
    rng = np.random.default_rng(seed)
    tags = rng.random((images, words)) < np.linspace(0.03, 0.3, words)
    noise = rng.normal(size=(images, dimensions)) * np.linspace(0.1, 3, dimensions)
    return np.float32(tags @ directions * 0.6 + noise), tags


def choose(vectors, tags, **given):
    return choose_strengths(vectors, tags, Covariance.fit(vectors), **given)


def test_f1_is_that_of_the_metrics():
    rng = np.random.default_rng(0)
    scores, tags = rng.normal(size=(50, 9)), rng.random((50, 9)) < 0.2
    scores[:, 3] = NEVER
    given = np.zeros(tags.shape, bool)
    np.put_along_axis(given, np.argsort(-scores)[:, :4], True, axis=1)
    expected = score_tags(given, tags, list(range(9)))["f1"]
    assert f1_of_best(scores, tags, 4) == expected
    assert f1_of_best(np.full((2, 9), NEVER), tags[:2]) == 0


def test_what_is_expected_of_a_choice_holds_on_fresh_images():
    vectors, tags = draw(300)
    chosen = choose(vectors, tags)
    layers, _ = fit_mean_scores(vectors, tags)
    fresh, true = draw(2000, seed=1)
    for layer in layers:
        fresh = layer(fresh)
    assert abs(f1_of_best(fresh.numpy(), true) - chosen.f1) < 0.05


def test_what_is_given_stays_and_random_words_are_not_learned():
    vectors, tags = draw(60)
    assert choose(vectors, tags, shrinkage=0.1, margin=0.3, lift=0.0) == Strengths(
        0.1, 0.3, 0.0
    )
    some = choose(vectors, tags, margin=0.35, lift=0.15)
    assert (some.margin, some.lift) == (0.35, 0.15)
    assert np.log2(some.shrinkage / module.SHRINKAGE) % 1 == 0
    # Each image has a word of its own beside some at random: nothing can be learned.
    noise = np.random.default_rng(0).normal(size=(40, 50)).astype(np.float32)
    assert choose(noise, np.eye(40, dtype=bool)).f1 == 0


def test_a_part_of_many_images_tells(monkeypatch):
    vectors, tags = draw(200)
    monkeypatch.setattr(module, "_MOST_IMAGES", 150)
    chosen = choose(vectors, tags)
    assert chosen == choose(vectors, tags) and 0 < chosen.f1 < 1


def test_data_sets_count_alike_however_many_words_they_have():
    rng = np.random.default_rng(0)
    known = np.zeros((60, 30), bool)
    known[:20, :6], known[20:, 6:] = True, True
    tags = known & (rng.random(known.shape) < 0.2)
    scores = np.where(known, rng.normal(size=known.shape), NEVER).astype(np.float32)
    parts = [f1_of_best(scores[:20], tags[:20]), f1_of_best(scores[20:], tags[20:])]
    assert f1_of_sets(scores, tags, data_sets(known)) == np.mean(parts)
    assert f1_of_sets(scores, tags) == f1_of_best(scores, tags) != np.mean(parts)


@pytest.mark.parametrize("best", [2**-5, 2**-1, 1, 2, 2**4])
def test_the_shrinkage_is_halved_or_doubled_while_that_helps(best, monkeypatch):
    tried = []

    def leave_one_out(whitening, vectors, tags, known, rows):
        tried.append(whitening / module.SHRINKAGE)
        return LeftOut(tags.astype(np.float32), np.zeros(tags.shape, np.float32))

    def f1(scores, tags, words=5):
        return 1 - 0.1 * abs(np.log2(tried[-1] / best))

    monkeypatch.setattr(module, "leave_one_out", leave_one_out)
    monkeypatch.setattr(module.Whitening, "of", lambda covariance, each: each)
    monkeypatch.setattr(module, "f1_of_best", f1)
    chosen = choose(*draw(30), lift=0.0)
    assert chosen.shrinkage == best * module.SHRINKAGE
    assert len(tried) == len(set(tried)) <= abs(np.log2(best)) + 3
