"""Each decoder, small, with weights that hide no error, and what it reads."""

import keras
import numpy as np
import pytest
import tensorflow as tf

from annotator.captioner.decoders.brnn import BrnnDecoder
from annotator.captioner.decoders.hard import HardDecoder
from annotator.captioner.decoders.log_bilinear import LogBilinearDecoder
from annotator.captioner.decoders.nic import NicDecoder
from annotator.captioner.decoders.soft import SoftDecoder
from annotator.captioner.decoders.stacked import StackedDecoder

# Images, captions of each, words of these; regions of an image and their channels.
B, C, T, R, D = 2, 3, 5, 4, 6
V = 11
SIZES = {"units": 8, "attention_units": 7, "jit_compile": False}
DECODERS = {
    "soft": lambda **kwargs: SoftDecoder(V, **SIZES, **kwargs),
    "two layers": lambda **kwargs: StackedDecoder(V, layers=2, **SIZES, **kwargs),
    "four layers": lambda **kwargs: StackedDecoder(V, layers=4, **SIZES, **kwargs),
    "vector": lambda **kwargs: StackedDecoder(
        V, layers=2, condition="vector", **SIZES, **kwargs
    ),
    "tied": lambda **kwargs: StackedDecoder(
        V, layers=3, tied=True, embedding_units=5, **SIZES, **kwargs
    ),
    "hard": lambda **kwargs: HardDecoder(V, **SIZES, **kwargs),
    "nic": lambda **kwargs: NicDecoder(V, **SIZES, **kwargs),
    "brnn": lambda **kwargs: BrnnDecoder(V, **SIZES, **kwargs),
    "log bilinear": lambda **kwargs: LogBilinearDecoder(V, 3, **SIZES, **kwargs),
}


@pytest.fixture(params=DECODERS)
def name(request):
    """The name of each decoder, for `build`."""
    return request.param


@pytest.fixture
def build():
    """Makes a decoder by its name, built for `inputs`."""

    def build(name, **kwargs):
        keras.utils.set_random_seed(5)
        decoder = DECODERS[name](**kwargs)
        decoder.build((None, None, D))
        for weight in decoder.trainable_weights:  # no zeros that hide an error
            weight.assign_add(tf.random.normal(weight.shape, stddev=0.3))
        return decoder

    return build


@pytest.fixture
def inputs():
    """`(regions, tokens)`: float32 `[B, R, D]` and int32 `[B, C, T]`."""
    rng = np.random.default_rng(6)
    regions = tf.constant(rng.uniform(size=[B, R, D]), tf.float32)
    return regions, tf.constant(rng.integers(4, V, [B, C, T]), tf.int32)
