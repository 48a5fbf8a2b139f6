"""The geometry of resizing, and what it refuses."""

import keras
import numpy as np
import pytest
import tensorflow as tf

from annotator.images.resize import METHODS, Resize, resize_image

RNG = np.random.default_rng(0)


def test_arrays_of_an_absurd_side_are_refused():
    message = "(?s)side of .* 65535 .*65536"
    with pytest.raises(tf.errors.InvalidArgumentError, match=message):
        resize_image(np.zeros((1, 65_536, 3), np.uint8), 8)
    assert resize_image(np.zeros((1, 65_535, 3), np.uint8), 8).shape == (8, 8, 3)


def test_squash_keeps_corners_and_center_crop_the_middle():
    stripes = np.zeros((8, 24, 3), np.uint8)
    stripes[:, :8, 0] = stripes[:, 8:16, 1] = stripes[:, 16:, 2] = 255
    squashed = resize_image(stripes, 6).numpy()
    assert squashed[3, 0].argmax() == 0 and squashed[3, -1].argmax() == 2
    cropped = resize_image(stripes, 6, aspect="center_crop").numpy()
    np.testing.assert_allclose(cropped, np.tile([0.0, 255, 0], (6, 6, 1)), atol=1e-3)
    flipped = resize_image(stripes, 6, flip=True).numpy()
    np.testing.assert_array_equal(flipped, squashed[:, ::-1])


@pytest.mark.parametrize("method", METHODS)
def test_values_stay_pixels_and_a_batch_equals_its_images(method):
    batch = RNG.integers(0, 256, (3, 50, 40, 3), dtype=np.uint8)
    resized = resize_image(batch, 16, method=method).numpy()
    assert resized.dtype == np.float32
    assert resized.min() >= 0 and resized.max() <= 255
    for image, one in zip(batch, resized, strict=True):
        np.testing.assert_allclose(
            resize_image(image, 16, method=method), one, atol=1e-4
        )


def test_resize_layer_is_the_function_and_keeps_its_settings():
    layer = Resize(16, "center_crop", "bicubic", flip=True)
    batch = RNG.uniform(0, 255, (2, 20, 30, 3)).astype(np.float32)
    expected = resize_image(batch, 16, "center_crop", "bicubic", True)
    copy = keras.saving.deserialize_keras_object(
        keras.saving.serialize_keras_object(layer)
    )
    np.testing.assert_array_equal(copy(batch), expected)
    with keras.device("cpu"):
        keras.config.set_dtype_policy("mixed_bfloat16")
        try:
            assert Resize(16)(batch).dtype == tf.float32
        finally:
            keras.config.set_dtype_policy("float32")


@pytest.mark.parametrize(
    "options, message",
    [
        ({"size": 0}, "size"),
        ({"size": 8, "aspect": "stretch"}, "stretch"),
        ({"size": 8, "method": "magic"}, "magic"),
    ],
)
def test_unknown_settings_are_named(options, message):
    with pytest.raises(ValueError, match=message):
        resize_image(np.zeros((4, 4, 3)), **options)
