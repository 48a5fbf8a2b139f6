"""Weights that are cast once for a search give what training's casts give."""

import keras
import numpy as np
import pytest
import tensorflow as tf

from annotator.captioner import (
    Captioner,
    CausalTextFeedback,
    StackedDecoder,
    TextFeedback,
    Vocabulary,
)
from annotator.captioner.cast_once import weights_cast_once

D = 6  # channels of `regions`
SIZES = {"units": 16, "attention_units": 7, "jit_compile": False}


def test_regions_are_standardized_alike_in_training_and_in_decoding(captions, regions):
    """Channels far from zero lose all of their differences in bfloat16."""
    policy = keras.DTypePolicy("mixed_bfloat16")
    vocabulary = Vocabulary.fit(captions)
    decoder = StackedDecoder(len(vocabulary), layers=2, dtype=policy, **SIZES)
    captioner = Captioner(vocabulary, decoder, dtype=policy)
    captioner.build((None, None, D))
    mean = np.linspace(1000.1, 1005.1, D).astype(np.float32)
    captioner.standardize(mean, np.full(D, 0.013, np.float32))
    regions = mean + 0.013 * (regions - 0.5)
    expected = captioner.prepare(regions)["regions"]
    with weights_cast_once(captioner):
        decoded = captioner.prepare(regions)["regions"]
    np.testing.assert_array_equal(decoded, expected)
    assert np.std(tf.cast(expected, tf.float32)) > 0.1


@pytest.mark.parametrize(
    ("kind", "tied"),
    [
        (TextFeedback, False),
        (CausalTextFeedback, True),
        pytest.param(TextFeedback, True, marks=pytest.mark.slow),
        pytest.param(CausalTextFeedback, False, marks=pytest.mark.slow),
    ],
)
def test_weights_are_rounded_alike_in_training_and_in_decoding(
    kind, tied, build, regions, tokens
):
    """Some are used in float32, others rounded to bfloat16, by whatever road."""
    policy = keras.DTypePolicy("mixed_bfloat16")
    exact = build("draft" if kind is TextFeedback else "causal")
    options = {"tied": tied, "dtype": policy}
    decoder = StackedDecoder(len(exact.vocabulary), layers=2, **options, **SIZES)
    feedback = kind(5, rounds=1, jit_compile=False, dtype=policy)
    captioner = Captioner(exact.vocabulary, decoder, feedback, dtype=policy)
    captioner.build((None, None, D))
    for weight in captioner.trainable_weights:
        weight.assign_add(tf.random.normal(weight.shape, stddev=0.3))
    captioner.standardize(np.linspace(0.1, 0.7, D), np.full(D, 0.37))
    read = tokens[..., :-1]
    draft = captioner.draft(regions)

    def numbers():
        prepared = captioner.prepare(regions)
        current = captioner.feedback.refine_by_given_drafts(
            captioner.decoder, prepared, draft
        )
        states = feedback.states(decoder, current, read)
        return states["attention_weights"], decoder.logits(states["hidden"])

    expected = numbers()
    with weights_cast_once(captioner):
        decoded = numbers()
    for got, want in zip(decoded, expected, strict=True):
        np.testing.assert_array_equal(got, want)
    want, got = captioner.generate(regions), captioner(regions)
    np.testing.assert_array_equal(got["scores"], want["scores"])
