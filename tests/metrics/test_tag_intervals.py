"""Intervals of the scores of tags: around the scores, and as wide as they should be."""

import numpy as np
import pytest
from sklearn.metrics import average_precision_score

from annotator.metrics.tag_intervals import _average_precisions, tag_intervals
from annotator.metrics.tags import mean_average_precision, score_tags

WORDS = list("abcd")


def made_up(images, seed=0):
    rng = np.random.default_rng(seed)
    true = rng.random((images, 4)) < [0.5, 0.3, 0.2, 0.1]
    scores = true + rng.normal(0, 0.7, true.shape)
    return scores > 0.6, true, scores


def test_a_score_lies_in_its_interval():
    predicted, true, scores = made_up(300)
    intervals = tag_intervals(predicted, true, scores)
    expected = score_tags(predicted, true, WORDS)
    expected["mean_average_precision"] = mean_average_precision(scores, true)
    for name, (low, high) in intervals.items():
        assert low < expected[name] < high, name
        # The mean of the draws is moved to the score.
        assert abs((low + high) / 2 - expected[name]) < 0.25 * (high - low), name
    assert set(intervals) == set(expected) - {"n_plus", "words", "images"}


def test_four_times_as_many_images_halve_an_interval():
    def width(images):
        low, high = tag_intervals(*made_up(images))["f1"]
        return high - low

    assert width(4000) / width(1000) == pytest.approx(0.5, rel=0.25)


def test_images_that_are_all_right_leave_no_doubt():
    _, true, scores = made_up(60)
    true[:, 0] = True  # of each image there is something to be right about
    intervals = tag_intervals(true, true, np.where(true, 1.0, 0.0) + 0 * scores)
    for low, high in intervals.values():
        assert low == pytest.approx(1) and high == pytest.approx(1)


def test_weighted_average_precision_is_that_of_repeated_images():
    rng = np.random.default_rng(1)
    true, scores = rng.random(40) < 0.4, rng.integers(0, 9, 40) / 9  # with ties
    draws = rng.multinomial(40, np.full(40, 1 / 40), 5).astype(np.float32)
    found = _average_precisions(draws, scores, true)
    for value, draw in zip(found, draws.astype(int), strict=True):
        repeated = np.repeat(np.arange(40), draw)
        expected = average_precision_score(true[repeated], scores[repeated])
        assert value == pytest.approx(expected, abs=1e-5)
