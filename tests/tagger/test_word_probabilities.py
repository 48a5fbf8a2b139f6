"""The layer that a fine-tuned tagger ends with, against NumPy."""

import keras
import numpy as np
import pytest
import scipy.special
import tensorflow as tf

from annotator.tagger.word_probabilities import WordProbabilities
from annotator.tagger.word_scores import NEVER

RNG = np.random.default_rng(0)
REGIONS = RNG.normal(size=(4, 6, 5)).astype(np.float32)
TAGS = np.float32([[1, 0, 0], [1, 1, 0], [0, 0, 0], [0, 1, 0]])


@pytest.fixture
def layer():
    layer = WordProbabilities(3, dropout=0.5, seed=1)
    layer.build(REGIONS.shape)
    layer.leave_out(TAGS.sum(axis=0))
    return layer


def test_equals_numpy(layer):
    kernel, bias = layer.dense.get_weights()
    logits = REGIONS.mean(axis=1) @ kernel + bias
    expected = scipy.special.log_softmax(logits[:, :2], axis=1)
    scores = layer(REGIONS).numpy()
    np.testing.assert_allclose(scores[:, :2], expected, atol=1e-5)
    assert (scores[:, 2] < NEVER / 2).all()  # no image, never said


def test_loss_by_hand(layer):
    scores = layer(REGIONS).numpy()
    sums = layer.loss(REGIONS, TAGS, training=False)
    # An image's words share it; the one without words does not count.
    by_hand = scores[0, 0] + scores[1, :2].mean() + scores[3, 1]
    assert float(sums["loss"]) == pytest.approx(-by_hand, rel=1e-5)
    assert float(sums["images"]) == 3
    alone = [layer.loss(REGIONS[i : i + 1], TAGS[i : i + 1], False) for i in range(4)]
    assert sum(float(one["loss"]) for one in alone) == pytest.approx(-by_hand, rel=1e-5)


def test_gradients_reach_every_weight_and_the_regions(layer):
    regions = tf.constant(REGIONS)
    with tf.GradientTape() as tape:
        tape.watch(regions)
        loss = layer.loss(regions, TAGS)["loss"]
    gradients = tape.gradient(loss, [regions, *layer.trainable_variables])
    assert len(gradients) == 3
    for gradient in gradients:
        assert np.isfinite(gradient).all() and np.abs(gradient).max() > 0


def test_dropout_only_in_training(layer):
    first, second = (layer(REGIONS, training=True).numpy() for _ in range(2))
    assert np.abs(first - second).max() > 0
    np.testing.assert_array_equal(layer(REGIONS), layer(REGIONS))


def test_round_trip(layer, tmp_path):
    model = keras.Sequential([keras.Input((None, 5)), layer])
    model.save(tmp_path / "m.keras")
    copy = keras.saving.load_model(tmp_path / "m.keras")
    np.testing.assert_array_equal(copy(REGIONS), layer(REGIONS))
