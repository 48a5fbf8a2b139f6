"""The calibration of a run's tagger: by validation images, or by parts of training."""

import dataclasses

import numpy as np
import pytest

from annotator.config import Config
from annotator.evaluation.scores import predict_scores
from annotator.runs.heads import TAGGER
from annotator.runs.run import Run
from annotator.tagger.calibration import CalibratedProbabilities, fit_calibration
from annotator.training.tagger.calibration import calibrate
from annotator.training.tagger.scores import fit_scores
from tests.tagger.test_calibration import calibration_error


def test_validation_images_tell_it(tagger_run, tagger_config):
    run = Run(tagger_config, tagger_run[0])
    split = run.split(TAGGER, "validation")
    scores = predict_scores(run.tagger(), split, 6)
    slope, offsets = fit_calibration(scores, split.annotated.tags)
    probabilities = run.calibration()
    assert run.words() == list(split.annotated.words)
    np.testing.assert_allclose(probabilities.slope, slope, rtol=1e-6)
    np.testing.assert_allclose(probabilities.offsets, offsets, rtol=1e-6)
    # The tagger is right of most of these images, and knows it.
    found = probabilities(scores).numpy()
    assert found[split.annotated.tags].mean() > found[~split.annotated.tags].mean()


def test_a_network_without_validation_images_keeps_its_scores(
    tagger_config, tmp_path, capsys
):
    config = dataclasses.replace(tagger_config, train_split="train+validation")
    run = Run(config, tmp_path)
    calibrate(run, None, ["blue", "green", "red"])
    assert "nothing tells how probable tags are" in capsys.readouterr().out
    assert run.calibration() is None


def draw(images, seed, words=12, dimensions=20):
    """Vectors that lean towards the directions of their words, which overlap."""
    directions = np.random.default_rng(3).normal(size=(words, dimensions))
    rates = np.linspace(0.03, 0.3, words)
    rng = np.random.default_rng(seed)
    tags = rng.random((images, words)) < rates
    noise = rng.normal(size=(images, dimensions))
    return np.float32(tags @ directions * 0.6 + noise), tags


@pytest.mark.parametrize(
    ("tagger", "similarity"), [("means", "whitened"), ("2pknn", "l2")]
)
def test_probabilities_of_a_real_tagger_hold_on_fresh_images(tagger, similarity):
    config = Config(tagger=tagger, similarity=similarity)
    layer, _ = fit_scores(config, *draw(400, seed=0))
    vectors, tags = draw(400, seed=1)
    fitted = fit_calibration(layer(vectors).numpy(), tags)
    vectors, tags = draw(2000, seed=2)
    scores = layer(vectors).numpy()
    probabilities = CalibratedProbabilities.from_fit(*fitted)(scores).numpy()
    assert calibration_error(probabilities, tags) < 0.02
    # They tell more than how frequent each word is.
    by_frequency = np.mean((tags.mean(axis=0) - tags) ** 2)
    assert np.mean((probabilities - tags) ** 2) < 0.95 * by_frequency
