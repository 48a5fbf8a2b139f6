"""The captioner's exports say what the trained model says."""

import dataclasses
import json
import shutil

import keras
import numpy as np
import pytest
import tensorflow as tf

from annotator.captioner import CaptionDetails
from annotator.runs.heads import CAPTIONER
from annotator.runs.run import Run
from annotator.training.run import train


def test_exports_equal_the_trained_model(
    captioner_run, captioner_config, load_export, image_folder
):
    workdir, _, (saved_model, keras_file) = captioner_run
    run = Run(captioner_config, workdir)
    captioner, split = run.captioner(), run.split(CAPTIONER, "validation")
    # As a graph: run op by op, the same sums may be added up in another order.
    found = tf.function(captioner.generate, autograph=False)(
        next(iter(split.regions(6)))
    )
    expected = [text.decode() for text in found["captions"].numpy()]
    encoded = [(image_folder / i).read_bytes() for i in split.annotated.image_ids]
    served = load_export(saved_model).signatures["serving_default"](
        image_bytes=tf.constant(encoded)
    )
    assert [text.decode() for text in served["captions"].numpy()] == expected
    pixels = np.stack([tf.io.decode_image(image).numpy() for image in encoded])
    predicted = keras.saving.load_model(keras_file).predict(pixels, verbose=0)
    assert [text.decode() for text in predicted["captions"]] == expected
    for name in ("scores", "word_probabilities"):
        # Some processors add up the same sums in another order.
        np.testing.assert_allclose(predicted[name], found[name], rtol=1e-5)
        np.testing.assert_allclose(served[name], found[name], rtol=1e-5)
    assert set(served) == {"captions", "scores", "word_probabilities"}


@pytest.mark.slow
def test_details_are_what_the_model_saw(captioner_run, captioner_config, image_folder):
    workdir, _, (saved_model, _) = captioner_run
    run = Run(captioner_config, workdir)
    captioner, split = run.captioner(), run.split(CAPTIONER, "validation")
    (regions,) = split.regions(6)
    # As a graph: run op by op, the same sums may be added up in another order.
    expected = tf.function(CaptionDetails(captioner), autograph=False)(regions)
    best = captioner.generate(regions)
    np.testing.assert_array_equal(expected["captions"], best["captions"])
    assert expected["n_best_captions"].shape == (6, captioner_config.beams)
    encoded = [(image_folder / i).read_bytes() for i in split.annotated.image_ids]
    details = tf.saved_model.load(saved_model).signatures["details"](
        image_bytes=tf.constant(encoded)
    )
    assert set(details) == set(expected)
    for name, value in expected.items():
        if value.dtype.is_floating:
            np.testing.assert_allclose(details[name], value, rtol=1e-4, atol=1e-6)
        else:
            np.testing.assert_array_equal(details[name], value)
    weights = details["attention"].numpy()  # [B, words, layers, R]
    assert weights.shape == (6, captioner_config.max_length + 1, 1, 16)
    np.testing.assert_allclose(weights.sum(-1), 1, atol=1e-5)


@pytest.mark.slow
def test_a_finished_run_is_exported_with_other_beams(
    captioner_run, captioner_config, tmp_path, weights
):
    workdir = shutil.copytree(captioner_run[0], tmp_path / "run")
    config = dataclasses.replace(
        captioner_config, beams=3, length_penalty=0.0, no_repeat_ngram=1
    )
    _, _, (saved_model, _) = train(config, workdir)
    assert saved_model.name == "2"
    run = Run(config, workdir)
    captioner, split = run.captioner(), run.split(CAPTIONER, "validation")
    expected = CaptionDetails(captioner)(next(iter(split.regions(6))))
    images = [next(iter(split.annotated.encoded_images()))[1]]
    details = tf.saved_model.load(saved_model).signatures["details"](
        image_bytes=tf.stack(images)
    )
    assert details["n_best_captions"].shape == (1, 3)
    np.testing.assert_array_equal(
        details["n_best_captions"][0], expected["n_best_captions"][0]
    )
    # And it is scored so.
    captions = json.loads((workdir / "metrics/validation_captions.json").read_text())
    told = [caption["caption"].encode() for caption in captions]
    assert told == expected["captions"].numpy().tolist()
    assert captioner.draft_sampler.no_repeat_ngram == 1
    for one, other in zip(weights(workdir), weights(captioner_run[0]), strict=True):
        np.testing.assert_array_equal(one, other)
    assert train(config, workdir)[2][0] == saved_model
