"""Every supported format against Pillow, and the refusals."""

import io

import numpy as np
import pytest
import tensorflow as tf
from PIL import Image

from annotator.images.decode import decode_image

RNG = np.random.default_rng(0)
RGB = Image.fromarray(RNG.integers(0, 256, (20, 30, 3), dtype=np.uint8))
RGBA = RGB.copy()
RGBA.putalpha(Image.fromarray(RNG.integers(0, 256, (20, 30), dtype=np.uint8)))

# One for all images: TensorFlow optimizes it as a whole.
decode_in_graph = tf.function(
    decode_image,
    input_signature=[tf.TensorSpec([], tf.string)],
    autograph=False,
)


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
    for function in (decode_image, decode_in_graph):
        decoded = function(tf.constant(encoded)).numpy()
        assert decoded.dtype == np.uint8
        np.testing.assert_allclose(decoded.astype(int), expected, atol=tolerance)


def test_every_value_over_white_is_rounded_once():
    values = np.stack(np.meshgrid(range(256), range(256)), axis=-1).astype(np.uint8)
    encoded = encode(Image.fromarray(values, "LA"), "PNG")
    gray, alpha = values.astype(float).transpose(2, 0, 1)
    expected = np.round(gray * alpha / 255 + 255 - alpha)
    decoded = decode_image(encoded)
    np.testing.assert_array_equal(decoded, np.repeat(expected[..., None], 3, -1))


def test_16_bit_png_keeps_the_upper_byte():
    values = np.arange(600, dtype=np.uint16).reshape(20, 30) * 109
    decoded = decode_image(encode(Image.fromarray(values), "PNG")).numpy()
    np.testing.assert_array_equal(decoded, np.repeat(values[..., None] >> 8, 3, -1))


def test_animated_gif_gives_its_first_frame():
    encoded = encode(RGB, "GIF", save_all=True, append_images=[RGB.rotate(180)])
    expected = over_white(Image.open(io.BytesIO(encode(RGB, "GIF"))))
    np.testing.assert_array_equal(decode_image(encoded).numpy(), expected)


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
        decode_image(encoded)


@pytest.mark.parametrize("format", ["PNG", "JPEG", "GIF", "BMP", "WEBP"])
def test_size_is_read_from_the_header_alone(format, set_limit):
    encoded = encode(RGB, format)
    name = "MAX_JPEG_PIXELS" if format == "JPEG" else "MAX_PIXELS"
    set_limit(name, 599)
    with pytest.raises(tf.errors.InvalidArgumentError, match="600"):
        decode_image(encoded)
    set_limit(name, 600)
    assert decode_image(encoded).shape == (20, 30, 3)


@pytest.mark.parametrize("mode", ["L", "RGB"])
def test_a_large_jpeg_is_decoded_to_half_its_sides(mode, set_limit):
    ramp = np.linspace(0, 255, 64).astype(np.uint8)
    image = Image.fromarray(np.add.outer(ramp // 2, ramp // 2)).convert(mode)
    encoded = encode(image, "JPEG", quality=95)
    whole = decode_image(encoded).numpy().astype(int)
    set_limit("MAX_PIXELS", 64 * 64 - 1)
    half = decode_image(encoded).numpy()
    assert half.shape == (32, 32, 3)
    means = whole.reshape(32, 2, 32, 2, 3).mean((1, 3))
    assert abs(half - means).max() <= 2


@pytest.mark.parametrize("options", [{"lossless": True}, {"exif": b"Exif\0\0long"}])
def test_size_of_the_other_webp_layouts(options, set_limit):
    set_limit("MAX_PIXELS", 599)
    with pytest.raises(tf.errors.InvalidArgumentError, match="600"):
        decode_image(encode(RGB, "WEBP", **options))
