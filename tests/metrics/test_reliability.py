"""Probabilities beside what came true, by hand."""

import numpy as np
import pytest

from annotator.metrics.reliability import reliability


def test_bins_and_error_by_hand():
    said = np.array([0.05, 0.15, 0.18, 0.95, 1.0])
    right = np.array([False, True, False, True, True])
    bins = reliability(said, right)
    np.testing.assert_allclose(bins.said, [0.05, 0.165, 0.975])
    np.testing.assert_allclose(bins.happened, [0, 0.5, 1])
    assert bins.counts.tolist() == [1, 2, 2]
    expected = (0.05 + 2 * (0.5 - 0.165) + 2 * (1 - 0.975)) / 5
    assert bins.error == pytest.approx(expected)


def test_draws_of_true_probabilities_have_hardly_an_error():
    rng = np.random.default_rng(0)
    said = rng.random(20_000)
    right = rng.random(20_000) < said
    assert reliability(said, right).error < 0.02
    assert reliability(said, ~right).error > 0.4


def test_without_any_there_is_nothing_to_compare():
    with pytest.raises(ValueError, match="no probability"):
        reliability(np.zeros(0), np.zeros(0, bool))
