"""What an epoch sees of the training images."""

import dataclasses

import numpy as np
import pytest
import tensorflow as tf

from annotator.runs.heads import CAPTIONER
from annotator.runs.run import Run, Split
from annotator.training.captioner.inputs import CachedRegions, captioner_inputs


class Maps:
    """A cache whose maps say which row they are of."""

    shape = (2, 2, 3)

    def __init__(self, sign):
        self.sign = sign

    def regions(self, rows):
        maps = np.asarray(rows, np.float16).reshape(-1, 1, 1)
        return self.sign * np.tile(maps, (1, 4, 3))


def split(sign):
    return Split(None, np.array([1, 2, 4, 7]), (Maps(sign),))


@pytest.mark.parametrize("epoch", [0, 1, 5])
def test_one_epoch_sees_half_the_images_mirrored_and_the_next_one_the_others(epoch):
    inputs = CachedRegions(split(1), None, mirrored=split(-1))
    rows = np.array([3, 0, 1, 2])
    now, then = (inputs.read(rows, e)[:, 0, 0] for e in (epoch, epoch + 1))
    np.testing.assert_array_equal(np.abs(now), [7, 1, 2, 4])
    np.testing.assert_array_equal(now, -then)
    assert (now < 0).sum() == 2


@pytest.mark.parametrize("epoch", [0, 1])
def test_drafts_are_of_the_views_that_the_epoch_learns_from(epoch):
    inputs = CachedRegions(split(1), None, mirrored=split(-1))
    batches = list(inputs.views(epoch, batch_size=3))
    assert [len(batch) for batch in batches] == [3, 1]
    np.testing.assert_array_equal(
        np.concatenate(batches), inputs.read(np.arange(4), epoch)
    )


def test_of_rows_that_are_all_seen_one_way():
    inputs = CachedRegions(split(1), None, mirrored=split(-1))
    regions = inputs.read(np.array([2, 0]), 0)
    assert regions.shape == (2, 4, 3) and regions.dtype == np.float16
    np.testing.assert_array_equal(regions[:, 0, 0], [4, 1])


def test_without_mirror_images_all_epochs_see_the_same():
    inputs = CachedRegions(split(1), None)
    for epoch in range(3):
        regions = inputs.read(np.array([1, 3]), epoch)
        np.testing.assert_array_equal(regions[:, 0, 0], [2, 7])


def test_mirror_images_are_those_of_the_files(captioner_config, image_folder, tmp_path):
    config = dataclasses.replace(captioner_config, caption_flip=True)
    run = Run(config, tmp_path)
    inputs = captioner_inputs(run)
    names = inputs.train.annotated.image_ids[:2]
    (resize,) = CAPTIONER.views(config)
    pixels = [tf.io.decode_image((image_folder / name).read_bytes()) for name in names]
    pixels[1] = pixels[1][:, ::-1]  # the second image is the one whose turn it is
    views = tf.stack([resize(image) for image in pixels])
    maps = run.backbone(CAPTIONER)(views)
    expected = tf.reshape(*maps.values(), inputs.read(np.arange(2), 0).shape)
    np.testing.assert_allclose(inputs.read(np.arange(2), 0), expected, rtol=1e-2)
