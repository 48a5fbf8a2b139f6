"""A small captioner, and regions and captions for it."""

import keras
import numpy as np
import pytest
import tensorflow as tf

from annotator.captioner import (
    BeamSearch,
    Captioner,
    CausalTextFeedback,
    SoftDecoder,
    StackedDecoder,
    TextFeedback,
    Vocabulary,
)

R, D = 4, 6
CAPTIONS = ["a dog runs", "a red cat sits on the dog", "the cat runs", "a dog sits"]
SIZES = {"units": 16, "attention_units": 7, "jit_compile": False}
FEEDBACKS = {
    "none": lambda: None,
    "draft": lambda: TextFeedback(5, rounds=1, jit_compile=False),
    "two drafts": lambda: TextFeedback(5, rounds=2, jit_compile=False),
    "causal": lambda: CausalTextFeedback(5, rounds=1, jit_compile=False),
}


@pytest.fixture
def build():
    """Makes a captioner with weights that hide no error."""

    def build(feedback="none", soft=False, words=CAPTIONS, max_length=5, **kwargs):
        keras.utils.set_random_seed(11)
        vocabulary = Vocabulary.fit(words)
        kind = SoftDecoder if soft else StackedDecoder
        options = {} if soft else {"layers": 2}
        captioner = Captioner(
            vocabulary,
            kind(len(vocabulary), **options, **SIZES),
            FEEDBACKS[feedback](),
            sampler=BeamSearch(3, results=2, max_length=max_length),
            **kwargs,
        )
        captioner.build((None, None, D))
        for weight in captioner.trainable_weights:
            weight.assign_add(tf.random.normal(weight.shape, stddev=0.3))
        return captioner

    return build


@pytest.fixture
def captions():
    """One an image."""
    return list(CAPTIONS)


@pytest.fixture
def regions():
    """Those of four images, float32 `[4, R, D]`."""
    rng = np.random.default_rng(12)
    return tf.constant(rng.uniform(size=[4, R, D]), tf.float32)


@pytest.fixture
def tokens():
    """Two captions an image, int32 `[4, 2, 9]`."""
    vocabulary = Vocabulary.fit(CAPTIONS)
    rows = vocabulary.encode(CAPTIONS + CAPTIONS[::-1], 9)
    return tf.constant(rows.reshape(4, 2, 9))
