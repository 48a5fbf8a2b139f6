"""Probabilities against outcomes, by hand and by what must hold of any."""

import numpy as np
import pytest

from annotator.metrics.reliability import reliability


def test_by_hand():
    # 0.2 twice, right once: off by 0.3. 0.9 and 1.0, both right: off by 0.05.
    found = reliability(
        np.array([0.2, 0.2, 0.9, 1.0]), np.array([True, False, True, True])
    )
    assert found["calibration_error"] == pytest.approx((0.3 + 0.05) / 2)
    low, high = found["bins"]
    assert (low["from"], low["to"], low["count"], low["right"]) == (0.2, 0.3, 2, 0.5)
    # Certainty belongs to the last tenth, not to one beyond.
    assert (high["from"], high["to"], high["right"]) == (0.9, 1.0, 1.0)
    assert high["probability"] == pytest.approx(0.95)


def test_outcomes_drawn_by_their_probabilities_are_believed():
    rng = np.random.default_rng(0)
    probabilities = rng.uniform(size=20_000)
    right = rng.uniform(size=20_000) < probabilities
    assert reliability(probabilities, right)["calibration_error"] < 0.02
    # Whoever is always surer than that is told so.
    surer = np.sqrt(probabilities)
    assert reliability(surer, right)["calibration_error"] > 0.15


def test_nothing_tells_nothing():
    found = reliability(np.zeros([0]), np.zeros([0], bool))
    assert found == {"calibration_error": None, "bins": []}


@pytest.mark.parametrize("values", [[0.5, 1.1], [0.5, np.nan], [0.5, -0.1]])
def test_what_is_no_probability_is_refused(values):
    with pytest.raises(ValueError, match="not from 0 to 1"):
        reliability(np.array(values), np.array([True, False]))


def test_shapes_must_agree():
    with pytest.raises(ValueError, match=r"one shape \[N\], got \(2,\) and \(3,\)"):
        reliability(np.zeros(2), np.zeros(3, bool))
