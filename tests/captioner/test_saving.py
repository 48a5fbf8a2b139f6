"""Captioners as files: what is loaded writes the same captions."""

import keras
import numpy as np
import pytest
import tensorflow as tf

R, D = 4, 6  # as in conftest.py


def test_standardized_regions_give_what_plain_ones_gave(
    tmp_path, build, regions, tokens
):
    captioner = build()
    expected = captioner.caption_loss(regions, tokens, training=False)["loss"]
    mean, deviation = np.linspace(-2, 3, D), np.linspace(0.5, 4, D)
    deviation[1] = 0.0  # a channel that never varies is only centered
    captioner.standardize(mean, deviation)
    moved = regions * np.where(deviation > 0, deviation, 1) + mean
    loss = captioner.caption_loss(moved, tokens, training=False)["loss"]
    np.testing.assert_allclose(loss, expected, rtol=1e-4)
    captioner.save(tmp_path / "c.keras")
    copy = keras.saving.load_model(tmp_path / "c.keras")
    np.testing.assert_array_equal(copy.region_mean, captioner.region_mean)
    np.testing.assert_array_equal(copy.region_deviation, captioner.region_deviation)


@pytest.mark.parametrize("feedback", ["none", "draft", "causal"])
def test_saved_file_writes_the_same_captions(feedback, tmp_path, build, regions):
    captioner = build(feedback)
    captioner.save(tmp_path / "captioner.keras")
    loaded = keras.saving.load_model(tmp_path / "captioner.keras")
    assert loaded.vocabulary == captioner.vocabulary
    assert vars(loaded.sampler) == vars(captioner.sampler)
    want = captioner.generate(regions, return_attention=True)
    got = loaded.generate(regions, return_attention=True)
    for name in want:
        np.testing.assert_array_equal(got[name], want[name])


def test_keras_predicts_what_is_generated(build, regions):
    captioner = build("draft")
    predicted = captioner.predict(regions, verbose=0)
    want = captioner.generate(regions)
    np.testing.assert_array_equal(predicted["tokens"], want["tokens"])


def test_weights_of_another_vocabulary_are_refused(tmp_path, build, captions):
    build().save_weights(tmp_path / "captioner.weights.h5")
    other = build(words=[c.replace("dog", "cow") for c in captions])
    with pytest.raises(ValueError, match="another vocabulary"):
        other.load_weights(tmp_path / "captioner.weights.h5")


@pytest.mark.slow
def test_saved_model_without_xla(tmp_path, build, regions):
    captioner = build("draft")
    captioner.set_jit_compile(True)
    captioner.set_jit_compile(False)
    assert not captioner.decoder.attentions[0].jit_compile
    assert not captioner.feedback.joint.jit_compile
    module = tf.Module()
    module.captioner = captioner
    module.serve = tf.function(
        lambda r: captioner.generate(r),
        input_signature=[tf.TensorSpec([None, R, D], tf.float32)],
        autograph=False,
    )
    tf.saved_model.save(module, tmp_path / "model")
    functions = captioner_functions(module.serve)
    assert not any("_XlaMustCompile" in function.attr for function in functions)
    loaded = tf.saved_model.load(tmp_path / "model")
    want, got = captioner.generate(regions), loaded.serve(regions)
    np.testing.assert_array_equal(got["captions"], want["captions"])
    np.testing.assert_allclose(got["scores"], want["scores"], rtol=1e-5)


def captioner_functions(function):
    return function.get_concrete_function().graph.as_graph_def().library.function
