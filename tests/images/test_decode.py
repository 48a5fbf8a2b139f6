"""Every supported format against Pillow, the refusals, and the geometry of resizing."""

import io

import keras
import numpy as np
import pytest
import tensorflow as tf
from PIL import Image

from annotator.images import decode as images

RNG = np.random.default_rng(0)
RGB = Image.fromarray(RNG.integers(0, 256, (20, 30, 3), dtype=np.uint8))
RGBA = RGB.copy()
RGBA.putalpha(Image.fromarray(RNG.integers(0, 256, (20, 30), dtype=np.uint8)))


def encode(image, format, **options):
    buffer = io.BytesIO()
    image.save(buffer, format, **options)
    return buffer.getvalue()


def over_white(image):
    background = Image.new("RGBA", image.size, "white")
    background.alpha_composite(image.convert("RGBA"))
    return np.asarray(background.convert("RGB"), int)


@pytest.mark.parametrize(
    "format, image, options, tolerance",
    [
        ("PNG", RGB, {}, 0),
        ("PNG", RGB.convert("L"), {}, 0),
        ("PNG", RGB.convert("1"), {}, 0),
        ("PNG", RGB.convert("P"), {}, 0),
        ("PNG", RGBA, {}, 1),
        ("PNG", RGBA.convert("LA"), {}, 1),
        ("BMP", RGB, {}, 0),
        ("BMP", RGB.convert("L"), {}, 0),
        ("GIF", RGB, {}, 0),
        ("WEBP", RGB, {"lossless": True}, 0),
        ("WEBP", RGBA, {"lossless": True, "exact": True}, 1),
        ("JPEG", RGB, {"quality": 95}, 10),
        ("JPEG", RGB.convert("L"), {"quality": 95}, 10),
        ("JPEG", Image.new("CMYK", (30, 20), (10, 200, 100, 30)), {}, 2),
    ],
)
def test_decodes_as_pillow_does(format, image, options, tolerance):
    encoded = encode(image, format, **options)
    expected = over_white(Image.open(io.BytesIO(encoded)))
    for decode in (images.decode_image, tf.function(images.decode_image)):
        decoded = decode(tf.constant(encoded)).numpy()
        assert decoded.dtype == np.uint8
        np.testing.assert_allclose(decoded.astype(int), expected, atol=tolerance)


def test_every_value_over_white_is_rounded_once():
    values = np.stack(np.meshgrid(range(256), range(256)), axis=-1).astype(np.uint8)
    encoded = encode(Image.fromarray(values, "LA"), "PNG")
    gray, alpha = values.astype(float).transpose(2, 0, 1)
    expected = np.round(gray * alpha / 255 + 255 - alpha)
    decoded = images.decode_image(encoded)
    np.testing.assert_array_equal(decoded, np.repeat(expected[..., None], 3, -1))


def test_arrays_of_an_absurd_side_are_refused():
    message = "(?s)side of .* 65535 .*65536"
    with pytest.raises(tf.errors.InvalidArgumentError, match=message):
        images.resize_image(np.zeros((1, 65_536, 3), np.uint8), 8)
    assert images.resize_image(np.zeros((1, 65_535, 3), np.uint8), 8).shape == (8, 8, 3)


def test_16_bit_png_keeps_the_upper_byte():
    values = np.arange(600, dtype=np.uint16).reshape(20, 30) * 109
    decoded = images.decode_image(encode(Image.fromarray(values), "PNG")).numpy()
    np.testing.assert_array_equal(decoded, np.repeat(values[..., None] >> 8, 3, -1))


def test_animated_gif_gives_its_first_frame():
    encoded = encode(RGB, "GIF", save_all=True, append_images=[RGB.rotate(180)])
    expected = over_white(Image.open(io.BytesIO(encode(RGB, "GIF"))))
    np.testing.assert_array_equal(images.decode_image(encoded).numpy(), expected)


@pytest.mark.parametrize(
    "encoded, message",
    [
        (b"", "(?s)length in bytes is.*0"),
        (b"plain text, whatever its name", "plain text, what"),
        (encode(RGB, "JPEG")[:200], "Invalid JPEG"),
        (encode(RGB, "PNG")[:200], "(?i)png"),
        (encode(RGB, "TIFF"), "Not a JPEG"),
        (
            encode(RGB, "WEBP", save_all=True, append_images=[RGB.rotate(90)]),
            "animated WebP",
        ),
    ],
)
def test_refuses_with_a_reason(encoded, message):
    with pytest.raises(tf.errors.InvalidArgumentError, match=message):
        images.decode_image(encoded)


@pytest.mark.parametrize("format", ["PNG", "JPEG", "GIF", "BMP", "WEBP"])
def test_size_is_read_from_the_header_alone(format, monkeypatch):
    encoded = encode(RGB, format)
    monkeypatch.setattr(images, "MAX_PIXELS", 599)
    with pytest.raises(tf.errors.InvalidArgumentError, match="600"):
        images.decode_image(encoded)
    monkeypatch.setattr(images, "MAX_PIXELS", 600)
    assert images.decode_image(encoded).shape == (20, 30, 3)


@pytest.mark.parametrize("options", [{"lossless": True}, {"exif": b"Exif\0\0long"}])
def test_size_of_the_other_webp_layouts(options, monkeypatch):
    monkeypatch.setattr(images, "MAX_PIXELS", 599)
    with pytest.raises(tf.errors.InvalidArgumentError, match="600"):
        images.decode_image(encode(RGB, "WEBP", **options))


def test_squash_keeps_corners_and_center_crop_the_middle():
    stripes = np.zeros((8, 24, 3), np.uint8)
    stripes[:, :8, 0] = stripes[:, 8:16, 1] = stripes[:, 16:, 2] = 255
    squashed = images.resize_image(stripes, 6).numpy()
    assert squashed[3, 0].argmax() == 0 and squashed[3, -1].argmax() == 2
    cropped = images.resize_image(stripes, 6, aspect="center_crop").numpy()
    np.testing.assert_allclose(cropped, np.tile([0.0, 255, 0], (6, 6, 1)), atol=1e-3)
    flipped = images.resize_image(stripes, 6, flip=True).numpy()
    np.testing.assert_array_equal(flipped, squashed[:, ::-1])


@pytest.mark.parametrize("method", images.METHODS)
def test_values_stay_pixels_and_a_batch_equals_its_images(method):
    batch = RNG.integers(0, 256, (3, 50, 40, 3), dtype=np.uint8)
    resized = images.resize_image(batch, 16, method=method).numpy()
    assert resized.dtype == np.float32
    assert resized.min() >= 0 and resized.max() <= 255
    for image, one in zip(batch, resized, strict=True):
        np.testing.assert_allclose(
            images.resize_image(image, 16, method=method), one, atol=1e-4
        )


def test_resize_layer_is_the_function_and_keeps_its_settings():
    layer = images.Resize(16, "center_crop", "bicubic", flip=True)
    batch = RNG.uniform(0, 255, (2, 20, 30, 3)).astype(np.float32)
    expected = images.resize_image(batch, 16, "center_crop", "bicubic", True)
    copy = keras.saving.deserialize_keras_object(
        keras.saving.serialize_keras_object(layer)
    )
    np.testing.assert_array_equal(copy(batch), expected)
    with keras.device("cpu"):
        keras.config.set_dtype_policy("mixed_bfloat16")
        try:
            assert images.Resize(16)(batch).dtype == tf.float32
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
        images.resize_image(np.zeros((4, 4, 3)), **options)


def test_augmentation_follows_its_seed_alone():
    rng = np.random.default_rng(0)
    pixels = np.repeat(rng.integers(0, 256, [1, 20, 20, 3]), 8, axis=0)
    first = images.augment(pixels, 16, [1, 2]).numpy()
    assert first.shape == (8, 16, 16, 3) and first.dtype == np.float32
    np.testing.assert_array_equal(first, images.augment(pixels, 16, [1, 2]))
    assert np.abs(first - images.augment(pixels, 16, [1, 3])).max() > 10
    # A share of the batch gets the views it would have in the whole.
    share = images.augment(pixels[1::2], 16, [1, 2], places=[1, 3, 5, 7])
    np.testing.assert_array_equal(share, first[1::2])
    # Eight copies of one image become eight views.
    assert len(np.unique(first[:, 0, 0, 0])) == 8
    assert first.min() >= 0 and first.max() <= 255


def test_augmentation_crops_mirrors_and_recolors_by_a_fifth():
    ramp = np.zeros([200, 40, 40, 3])
    ramp[..., 0] = np.linspace(50, 150, 40)  # red grows to the right
    found = images.augment(ramp, 40, [0, 0]).numpy()[..., 0]
    slopes = (found[:, 20, -1] - found[:, 20, 0]) / 100
    assert 0.3 < (slopes < 0).mean() < 0.7  # half are mirrored
    assert 0.75 * 0.8 * 0.8 * 0.8 < np.abs(slopes).min()
    assert np.abs(slopes).max() < 1.2**3
    never = images.augment(ramp, 40, [0, 0], mirror=False).numpy()[..., 0]
    assert (never[:, 20, -1] > never[:, 20, 0]).all()
    flat = images.augment(np.full([200, 9, 9, 3], 100.0), 9, [0, 0]).numpy()
    assert flat.std(axis=(1, 2, 3)).max() < 1e-3
    means = flat.mean(axis=(1, 2, 3))
    assert 79.9 < means.min() < 85 and 115 < means.max() < 120.1
