"""Other views of training images: their seeds and their amounts."""

import numpy as np

from annotator.images.augment import augment_images


def test_augmentation_follows_its_seed_alone():
    rng = np.random.default_rng(0)
    pixels = np.repeat(rng.integers(0, 256, [1, 20, 20, 3]), 8, axis=0)
    first = augment_images(pixels, 16, [1, 2]).numpy()
    assert first.shape == (8, 16, 16, 3) and first.dtype == np.float32
    np.testing.assert_array_equal(first, augment_images(pixels, 16, [1, 2]))
    assert np.abs(first - augment_images(pixels, 16, [1, 3])).max() > 10
    # A share of the batch gets the views it would have in the whole.
    share = augment_images(pixels[1::2], 16, [1, 2], indices=[1, 3, 5, 7])
    np.testing.assert_array_equal(share, first[1::2])
    # Eight copies of one image become eight views.
    assert len(np.unique(first[:, 0, 0, 0])) == 8
    assert first.min() >= 0 and first.max() <= 255


def test_augmentation_crops_mirrors_and_recolors_by_a_fifth():
    ramp = np.zeros([200, 40, 40, 3])
    ramp[..., 0] = np.linspace(50, 150, 40)  # red grows to the right
    red = augment_images(ramp, 40, [0, 0]).numpy()[..., 0]
    slopes = (red[:, 20, -1] - red[:, 20, 0]) / 100
    assert 0.3 < (slopes < 0).mean() < 0.7  # half are mirrored
    assert 0.75 * 0.8 * 0.8 * 0.8 < np.abs(slopes).min()
    assert np.abs(slopes).max() < 1.2**3
    never = augment_images(ramp, 40, [0, 0], mirror=False).numpy()[..., 0]
    assert (never[:, 20, -1] > never[:, 20, 0]).all()
    flat = augment_images(np.full([200, 9, 9, 3], 100.0), 9, [0, 0]).numpy()
    assert flat.std(axis=(1, 2, 3)).max() < 1e-3
    means = flat.mean(axis=(1, 2, 3))
    assert 79.9 < means.min() < 85 and 115 < means.max() < 120.1
