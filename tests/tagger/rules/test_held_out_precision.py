"""Thresholds by a promised precision: on fresh draws the promise is kept."""

import numpy as np
import pytest
import scipy.stats

from annotator.tagger.rules.held_out_precision import HeldOutPrecision, promised
from annotator.tagger.rules.word_thresholds import WordThresholds
from annotator.tagger.word_scores import NEVER

WORDS = 400


def draw(images, seed, words=WORDS):
    """Scores, and tags that are the more probable the higher they are; words differ."""
    middles = np.random.default_rng(7).normal(1.2, 0.6, words)
    rng = np.random.default_rng(seed)
    scores = rng.normal(size=(images, words)).astype(np.float32)
    true = 1 / (1 + np.exp(-4 * (scores - middles)))
    return scores, rng.random(true.shape) < true


def precision_above(thresholds, scores, tags):
    given = scores > thresholds
    return (given & tags).sum(axis=0) / np.maximum(given.sum(axis=0), 1)


@pytest.mark.parametrize("precision", [0.7, 0.9])
def test_on_fresh_draws_the_promise_is_kept(precision):
    thresholds = HeldOutPrecision.fit(*draw(1500, seed=0)).thresholds(precision)
    given = np.isfinite(thresholds)
    assert given.sum() > WORDS / 4  # it is no promise to give nothing
    scores, tags = draw(20_000, seed=1)
    found = precision_above(thresholds, scores, tags)[given]
    # Of words that just miss it, as few as 95 % confidence allows; 1e-3 of an accident.
    most = scipy.stats.binom.isf(1e-3, given.sum(), 0.05)
    assert (found < precision - 0.01).sum() <= most
    # What held-out images say without a bound is broken for far more than 5 %.
    candidates = HeldOutPrecision.fit(*draw(1500, seed=0))
    reached = candidates.right >= precision * candidates.images
    reached &= np.isfinite(candidates.scores)
    lowest = np.where(reached, candidates.scores, np.inf).min(axis=1)
    naive = precision_above(lowest, scores, tags)[np.isfinite(lowest)]
    assert np.mean(naive < precision - 0.01) > 0.1


def test_the_bound_of_one_candidate_is_clopper_and_pearsons():
    scores = -np.arange(60.0)[:, None]
    tags = np.ones((60, 1), bool)
    counts = HeldOutPrecision.fit(scores, tags)
    # 37 is the first candidate of which all can show it: 0.9^37 = 0.020 is below half
    # of what may go wrong. Each later one is as good: the lowest is the threshold.
    assert counts.images.tolist()[-4:] == [31, 37, 44, 52]
    assert 0.9**37 < 0.025 < 0.9**31
    assert counts.thresholds(0.9)[0] == -52
    tags[5] = False  # 36 of 37, by chance with 10 %, do not show it
    assert 0.9**37 + 37 * 0.1 * 0.9**36 > 0.1
    assert np.isinf(HeldOutPrecision.fit(scores, tags).thresholds(0.9)[0])


def test_exactly_so_many_images_lie_above_a_candidate():
    scores, tags = draw(300, seed=3, words=8)
    counts = HeldOutPrecision.fit(scores, tags)
    for column, images in enumerate(counts.images):
        given = scores > counts.scores[:, column]
        assert (given.sum(axis=0) == images).all()
        assert ((given & tags).sum(axis=0) == counts.right[:, column]).all()


def test_images_that_were_not_asked_do_not_count():
    scores, tags = draw(600, seed=4, words=6)
    known = np.arange(600)[:, None] % 2 == np.arange(6) % 2
    counts = HeldOutPrecision.fit(scores, tags & known, known)
    for word in range(6):
        alone = HeldOutPrecision.fit(
            scores[known[:, word]][:, [word]], tags[known[:, word]][:, [word]]
        )
        columns = len(alone.images)
        np.testing.assert_array_equal(counts.scores[word, :columns], alone.scores[0])
        np.testing.assert_array_equal(counts.right[word, :columns], alone.right[0])
        assert np.isinf(counts.scores[word, columns:]).all()


def test_equal_scores_are_no_candidates():
    counts = HeldOutPrecision.fit(np.zeros((100, 1)), np.ones((100, 1), bool))
    assert np.isinf(counts.scores).all() and np.isinf(counts.thresholds(0.5)).all()


def test_files_keep_every_bit(tmp_path):
    counts = HeldOutPrecision.fit(*draw(200, seed=5, words=5))
    counts.save(tmp_path / "counts.npz")
    read = HeldOutPrecision.load(tmp_path / "counts.npz")
    for name in ("images", "scores", "right"):
        np.testing.assert_array_equal(getattr(counts, name), getattr(read, name))


def test_what_cannot_be_promised_is_refused():
    counts = HeldOutPrecision.fit(*draw(200, seed=6, words=5))
    with pytest.raises(ValueError, match="between 0 and 1, got 1"):
        counts.thresholds(1)
    with pytest.raises(ValueError, match="--precision=0.999: no word of runs/a"):
        promised(counts, 0.999, "--precision", "runs/a")
    with pytest.raises(ValueError, match="runs/a has no counts of such: train it"):
        promised(None, 0.9, "--precision", "runs/a")


def test_scores_below_their_words_threshold_become_never():
    layer = WordThresholds.of(np.array([0.5, np.inf]))
    given = layer(np.array([[0.6, 9.0], [0.5, 9.0]], np.float32)).numpy()
    np.testing.assert_array_equal(given, np.float32([[0.6, NEVER], [NEVER, NEVER]]))
    assert layer.get_config()["words"] == 2
