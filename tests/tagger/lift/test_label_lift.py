"""Label lift by hand, the layer against the arithmetic, and images left out of it."""

import keras
import numpy as np
import pytest

from annotator.tagger.lift.cooccurrence import (
    TEMPERATURE,
    Cooccurrence,
    log_lift,
    word_shares,
)
from annotator.tagger.lift.label_lift import LabelLift
from annotator.tagger.lift.left_out_lift import gains, spread
from annotator.tagger.word_means import NEVER

RNG = np.random.default_rng(0)


def test_lifts_by_hand():
    tags = np.array([[1, 1, 0], [1, 0, 0], [0, 0, 1], [1, 1, 0]], bool)
    lifts = Cooccurrence(tags).lifts()
    # p(1 | 0) / p(1) = (2 / 3) / (2 / 4); words 0 and 2 never meet.
    assert lifts[0, 1] == lifts[1, 0] == pytest.approx(np.log((1 + 4 / 3) / 2))
    assert lifts[0, 2] == pytest.approx(-np.log(2))
    # Where no image was asked for both, nothing is known.
    known = np.array([[1, 1, 0], [1, 1, 0], [0, 0, 1], [1, 1, 0]], bool)
    partly = Cooccurrence(tags & known, known).lifts()
    assert partly[0, 2] == partly[2, 1] == 0
    assert partly[0, 1] == pytest.approx(np.log((1 + (2 / 3) / (2 / 3)) / 2))


def test_the_layer_equals_the_arithmetic(tmp_path):
    scores = RNG.normal(size=(4, 5)).astype(np.float32)
    lifts = Cooccurrence(RNG.random((30, 5)) < 0.4).lifts()
    layer = LabelLift.from_fit(lifts, deviation=0.7, strength=0.3)
    shares = np.exp(scores / (TEMPERATURE * 0.7))
    shares /= shares.sum(axis=1, keepdims=True)
    np.testing.assert_allclose(word_shares(scores, 0.7), shares, rtol=1e-4)
    expected = scores + 0.3 * 0.7 * shares @ lifts
    np.testing.assert_allclose(layer(scores), expected, atol=1e-5)
    model = keras.Sequential([keras.Input((5,)), layer])
    model.save(tmp_path / "m.keras")
    copy = keras.saving.load_model(tmp_path / "m.keras")
    np.testing.assert_array_equal(copy(scores), model(scores))


def test_words_of_all_images_and_of_none_neither_give_nor_take():
    scores = np.float32([[0.5, 1e4, 0.1, NEVER], [NEVER, 1e4, NEVER, NEVER]])
    lifts = RNG.normal(size=(4, 4))
    lifted = LabelLift.from_fit(lifts, 1.0, 1.0)(scores).numpy()
    np.testing.assert_array_equal(lifted[:, [1, 3]], scores[:, [1, 3]])
    np.testing.assert_array_equal(lifted[1], scores[1])
    shares = word_shares(scores, 1.0)
    np.testing.assert_allclose(
        lifted[0, [0, 2]], (scores + shares @ lifts)[0, [0, 2]], rtol=1e-5
    )
    assert shares[1].sum() == 0 and spread(scores) == pytest.approx(0.2)


@pytest.mark.parametrize("partly", [False, True])
def test_gains_equal_counting_again_without_each_image(partly):
    tags = RNG.random((40, 6)) < 0.3
    known = None
    if partly:
        known = np.ones(tags.shape, bool)
        known[:15, :2] = known[15:, 4] = False
        tags &= known
    scores = RNG.normal(size=(3, 6))
    rows = np.array([2, 17, 30])
    found = gains(scores, 0.5, tags, known, rows)
    asked = Cooccurrence(tags, known).asked  # stays as it is
    for row, score, gain in zip(rows, scores, found, strict=True):
        others = np.delete(np.arange(len(tags)), row)
        counted = Cooccurrence(tags[others], None if known is None else known[others])
        lifts = log_lift(counted.both, counted.given, counted.given.T, asked)
        # What concerns none of its words is counted with it.
        whole = Cooccurrence(tags, known).lifts()
        concerned = tags[row][:, None] | tags[row][None, :]
        lifts = np.where(concerned, lifts, whole)
        expected = word_shares(score[None], 0.5) @ lifts
        np.testing.assert_allclose(gain, expected[0], atol=1e-5)
