"""The tags that an exported tagger gives, by thresholds that settings ask for."""

import numpy as np
import pytest

from annotator.tagger.calibration import CalibratedProbabilities
from annotator.tagger.rules.given_tags import asked_thresholds, given_tags
from annotator.tagger.rules.held_out_precision import HeldOutPrecision
from annotator.tagger.top_tags import TopTags

SCORES = np.float32([[0.9, 0.4, 0.1], [0.3, 0.2, 0.6]])


def never():
    raise AssertionError("Nothing asks for it.")


@pytest.fixture(scope="module")
def probabilities():
    # As probable as not at the scores 0.5, 0.3 and 0.
    return CalibratedProbabilities.from_fit(np.float32(2), np.float32([-1, -0.6, 0]))


def test_thresholds_by_probability(probabilities):
    layer = asked_thresholds(None, 0.5, never, lambda: probabilities, "runs/a")
    np.testing.assert_allclose(layer.get_weights()[0], [0.5, 0.3, 0.0], atol=1e-6)
    with pytest.raises(ValueError, match="--tag_probability=0.5 needs .* runs/a had"):
        asked_thresholds(None, 0.5, never, lambda: None, "runs/a")


def test_thresholds_by_precision_go_before_those_by_probability():
    rng = np.random.default_rng(0)
    scores = rng.random((400, 1), np.float32)
    counts = HeldOutPrecision.fit(scores, scores > 0.5)
    layer = asked_thresholds(0.8, 0.5, lambda: counts, never, "runs/a")
    np.testing.assert_array_equal(layer.get_weights()[0], counts.thresholds(0.8))
    with pytest.raises(ValueError, match="--tag_precision=0.8 needs"):
        asked_thresholds(0.8, None, lambda: None, never, "runs/a")


def test_nothing_is_read_where_nothing_is_asked_for():
    assert asked_thresholds(None, None, never, never, "runs/a") is None


def test_what_is_given(probabilities):
    top = TopTags(["cat", "dog", "sea"], 0, -1e9)
    thresholds = asked_thresholds(None, 0.5, never, lambda: probabilities, "runs/a")
    result = given_tags(lambda scores: scores, top, thresholds, probabilities)(SCORES)
    words = [[w.decode() for w in row if w] for row in result["tags"].numpy()]
    assert words == [["cat", "dog", "sea"], ["sea"]]
    expected = 1 / (1 + np.exp(-(2 * 0.6)))
    assert result["probabilities"].numpy()[1, 0] == pytest.approx(expected)
    plain = given_tags(lambda scores: scores, top, None, None)(SCORES)
    assert "probabilities" not in plain
    np.testing.assert_allclose(plain["scores"], -np.sort(-SCORES))
