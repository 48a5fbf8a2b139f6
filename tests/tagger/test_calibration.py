"""The calibration: what it calls 70 % is right in 70 of 100 fresh cases."""

import keras
import numpy as np
import pytest
from sklearn.linear_model import LogisticRegression

from annotator.tagger.calibration import CalibratedProbabilities, fit_calibration
from annotator.tagger.word_scores import NEVER


def sigmoid(logits):
    return 1 / (1 + np.exp(-logits))


def draw(images, words=30, spread=1.0, seed=0):
    """Scores, tags and true probabilities; the words are the same for all seeds."""
    offsets = -2.0 + spread * np.random.default_rng(7).normal(size=words)
    rng = np.random.default_rng(seed)
    scores = rng.normal(3.0, 0.5, (images, words))
    true = sigmoid(4.0 * (scores - 3.0) + offsets)
    return scores.astype(np.float32), rng.random(true.shape) < true, true


def calibration_error(probabilities, tags, bins=10):
    """The expected calibration error over bins of equally many cases."""
    order = np.argsort(probabilities, axis=None)
    parts = np.array_split(order, bins)
    gaps = [
        abs(probabilities.ravel()[part].mean() - tags.ravel()[part].mean()) * len(part)
        for part in parts
    ]
    return sum(gaps) / len(order)


@pytest.mark.parametrize("spread", [0.0, 1.0])
def test_the_error_on_fresh_draws_is_small(spread):
    scores, tags, _ = draw(400, spread=spread)
    layer = CalibratedProbabilities.from_fit(*fit_calibration(scores, tags))
    scores, tags, true = draw(4000, spread=spread, seed=1)
    probabilities = layer(scores).numpy()
    assert calibration_error(probabilities, tags) < 0.01
    assert np.abs(probabilities - true).mean() < 0.02
    # It is so for each word, and not for all of them together alone.
    by_word = [
        calibration_error(probabilities[:, [w]], tags[:, [w]], bins=1)
        for w in range(scores.shape[1])
    ]
    assert np.mean(by_word) < 0.02


def test_one_word_is_logistic_regression_on_platts_targets():
    scores, tags, _ = draw(500, words=1)
    slope, (offset,) = fit_calibration(scores, tags)
    carried = tags[:, 0]
    targets = np.where(carried, 1 - 1 / (carried.sum() + 2), 1 / (np.sum(~carried) + 2))
    # A target between 0 and 1 is a case of each, with these weights.
    plain = LogisticRegression(C=1e8, tol=1e-8).fit(
        np.concatenate([scores, scores]),
        np.repeat([True, False], len(scores)),
        np.concatenate([targets, 1 - targets]),
    )
    np.testing.assert_allclose(slope, plain.coef_[0, 0], rtol=1e-3)
    np.testing.assert_allclose(offset, plain.intercept_[0], rtol=1e-3)


def test_a_higher_score_is_never_less_probable():
    scores, tags, _ = draw(300)
    for labels in (tags, ~tags, np.random.default_rng(0).random(tags.shape) < 0.2):
        slope, offsets = fit_calibration(scores, labels)
        layer = CalibratedProbabilities.from_fit(slope, offsets)
        steps = np.linspace(-5, 10, 50, dtype=np.float32)
        probabilities = layer(np.tile(steps[:, None], (1, scores.shape[1]))).numpy()
        assert (np.diff(probabilities, axis=0) >= 0).all()
    # Scores that point the wrong way say nothing but how frequent a word is.
    slope, offsets = fit_calibration(scores, ~tags)
    assert slope == 0
    layer = CalibratedProbabilities.from_fit(slope, offsets)
    rates = layer(scores[:1]).numpy()[0]
    np.testing.assert_allclose(rates, (~tags).mean(axis=0), atol=0.03)


def test_the_scale_of_the_scores_does_not_matter():
    scores, tags, _ = draw(300)
    slope, offsets = fit_calibration(scores, tags)
    other_slope, other_offsets = fit_calibration(10 * scores - 70, tags)
    np.testing.assert_allclose(other_slope, slope / 10, rtol=1e-4)
    np.testing.assert_allclose(
        other_slope * (10 * scores - 70) + other_offsets,
        slope * scores + offsets,
        atol=1e-3,
    )


def test_what_is_not_known_does_not_count():
    scores, tags, _ = draw(300)
    known = np.random.default_rng(3).random(tags.shape) < 0.7
    known[:, 4] = False
    expected = fit_calibration(scores, tags, known)
    altered = np.where(known, scores, 5.0), np.where(known, tags, True)
    for mine, theirs in zip(fit_calibration(*altered, known), expected, strict=True):
        np.testing.assert_array_equal(mine, theirs)
    slope, offsets = expected
    seen = np.delete(offsets, 4)
    np.testing.assert_allclose(offsets[4], seen.mean(), atol=0.05)


def test_words_that_all_images_carry_or_none_do_not_count():
    scores, tags, _ = draw(300)
    some = np.arange(2, scores.shape[1])
    expected, _ = fit_calibration(scores[:, some], tags[:, some])
    scores[:, 0], scores[:, 1], tags[:, 0] = NEVER, 1e4, False
    slope, offsets = fit_calibration(scores, tags)
    np.testing.assert_allclose(slope, expected, rtol=0.01)
    layer = CalibratedProbabilities.from_fit(slope, offsets)
    probabilities = layer(scores).numpy()
    assert (probabilities[:, 0] == 0).all() and (probabilities[:, 1] == 1).all()


def test_scores_that_separate_leave_it_finite():
    scores = np.linspace(-1, 1, 50)[:, None]
    slope, offsets = fit_calibration(scores, scores > 0)
    assert np.isfinite(slope) and np.isfinite(offsets).all() and slope > 3
    slope, offsets = fit_calibration(np.zeros((5, 2)), np.zeros((5, 2), bool))
    assert np.isfinite(slope) and (offsets < 0).all()


def test_scores_at_a_probability():
    layer = CalibratedProbabilities.from_fit(np.float32(2.0), np.float32([-1.0, 3.0]))
    # 2 s - 1 = log 3 and 2 s + 3 = log 3, for log(0.75 / 0.25) = log 3.
    expected = [(np.log(3) + 1) / 2, (np.log(3) - 3) / 2]
    np.testing.assert_allclose(layer.scores_at(0.75), expected, rtol=1e-6)
    flat = CalibratedProbabilities.from_fit(np.float32(0.0), np.float32([-1.0, 3.0]))
    assert flat.scores_at(0.5)[0] > 1e6 and flat.scores_at(0.5)[1] < -1e6


def test_a_saved_layer_says_exactly_the_same(tmp_path):
    scores, tags, _ = draw(100)
    layer = CalibratedProbabilities.from_fit(*fit_calibration(scores, tags))
    model = keras.Sequential([keras.Input(scores.shape[1:]), layer])
    model.save(tmp_path / "model.keras")
    loaded = keras.saving.load_model(tmp_path / "model.keras")
    np.testing.assert_array_equal(loaded(scores), model(scores))


def test_errors_name_the_shapes():
    with pytest.raises(ValueError, match=r"one shape .*\(2, 3\), \(2, 2\)"):
        fit_calibration(np.zeros((2, 3)), np.zeros((2, 2), bool))
    with pytest.raises(ValueError, match="nothing to calibrate by"):
        fit_calibration(np.full((2, 3), NEVER), np.zeros((2, 3), bool))
