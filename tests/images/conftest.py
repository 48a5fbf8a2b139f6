"""What the tests of images share."""

import io

import numpy as np
import pytest
import tensorflow as tf
from PIL import Image

from annotator.config.limits import MAX_PIXELS
from annotator.images import decode
from annotator.images.resize import Resize


class MeanColor:
    """Stands for a model: three scores, the image's mean color."""

    resizes = (Resize(4),)
    tasks = ("tagger",)
    max_pixels = MAX_PIXELS

    def __call__(self, views):
        means = tf.reduce_mean(views[0], axis=(1, 2))
        tags = tf.repeat([["red", "green", "blue"]], len(means), axis=0)
        return {"tagger": {"tags": tags, "scores": means}}


@pytest.fixture
def mean_color(stand_in):
    """Makes `annotate` use the model of mean colors; returns it."""
    model = MeanColor()
    stand_in(model)
    return model


@pytest.fixture(scope="session")
def small_png():
    """The content of a PNG of 30 x 20 random pixels."""
    pixels = np.random.default_rng(0).integers(0, 256, (20, 30, 3), np.uint8)
    buffer = io.BytesIO()
    Image.fromarray(pixels).save(buffer, "PNG")
    return buffer.getvalue()


@pytest.fixture
def set_limit(monkeypatch):
    """`set_limit(name, value)` sets a limit of the decoder, which is traced once."""

    def set_limit(name, value, module=decode):
        monkeypatch.setattr(module, name, value)
        untraced = getattr(decode._decoded, "python_function", decode._decoded)
        monkeypatch.setattr(decode, "_decoded", untraced)

    return set_limit
