"""Exports to annotate with, a stand-in for a model, and images for it."""

import pathlib

import pytest
import tensorflow as tf
from PIL import Image

from annotator.config.limits import MAX_PIXELS
from annotator.images.resize import Resize


@pytest.fixture(scope="module")
def exports(tagger_run, captioner_run):
    """Folders of a tagger's and a captioner's export."""
    return tagger_run[0] / "export", captioner_run[0] / "export" / "captioner"


class Brightness:
    """Stands for a model: tags an image by how bright it is."""

    resizes = (Resize(4),)
    tasks = ("tagger",)
    max_pixels = MAX_PIXELS

    def __call__(self, views):
        means = tf.reduce_mean(views[0], axis=(1, 2, 3))
        tags = tf.where(means > 100, "light", "dark")[:, None]
        return {"tagger": {"tags": tags, "scores": means[:, None]}}


@pytest.fixture
def brightness_model():
    return Brightness()


@pytest.fixture
def brightness(stand_in, brightness_model):
    """Makes `annotate` use `Brightness`; returns what the exports are said to be."""
    return stand_in(brightness_model)


@pytest.fixture
def gray_images(tmp_path):
    """A folder of 25 images whose brightness is their number times ten."""
    folder = tmp_path / "gray"
    folder.mkdir()
    for i in range(25):
        Image.new("L", (3, 2), 10 * i).save(folder / f"{i:02}.png")
    return folder


@pytest.fixture
def digikam():
    """The bytes of a sidecar as digiKam lays it out."""
    return pathlib.Path(__file__, "../../metadata/digikam.xmp").resolve().read_bytes()
