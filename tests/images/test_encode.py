"""Pixels that go through the bytes of a file and come back as they were."""

import io

import numpy as np
import pytest
from PIL import Image

from annotator.images.decode import decode_image
from annotator.images.encode import encode_image

RNG = np.random.default_rng(0)
# Sides that no row of a BMP ends at without filling.
RGBA_ARRAY = RNG.integers(0, 256, (5, 7, 4), dtype=np.uint8)
RGB = Image.fromarray(np.ascontiguousarray(RGBA_ARRAY[..., :3]))
RGBA = Image.fromarray(RGBA_ARRAY)
SIXTEEN_BITS = Image.fromarray(RNG.integers(0, 2**16, (5, 7), dtype=np.uint16))
TURNED = 6  # Orientation: the first row is the right side


def decoded(content):
    return decode_image(content).numpy()


def as_file(image, format="PNG", **options):
    buffer = io.BytesIO()
    image.save(buffer, format, **options)
    return buffer.getvalue()


def orientation(value):
    exif = Image.Exif()
    exif[0x0112] = value
    return {"exif": exif}


def test_arrays_come_back():
    rgb = RGBA_ARRAY[..., :3]
    np.testing.assert_array_equal(decoded(encode_image(rgb)), rgb)
    # Such a view is no block of memory.
    np.testing.assert_array_equal(decoded(encode_image(rgb[::2, ::-1])), rgb[::2, ::-1])
    gray = RGBA_ARRAY[..., 0]
    expected = np.repeat(gray[..., None], 3, axis=-1)
    np.testing.assert_array_equal(decoded(encode_image(gray)), expected)
    one = np.full((1, 1, 3), 9, np.uint8)
    np.testing.assert_array_equal(decoded(encode_image(one)), one)
    np.testing.assert_array_equal(
        decoded(encode_image(RGBA_ARRAY)), decoded(as_file(RGBA))
    )


@pytest.mark.parametrize(
    ("image", "options"),
    [
        (RGB, {}),
        (RGB, {"transparency": tuple(int(value) for value in RGBA_ARRAY[0, 0, :3])}),
        (RGB.convert("L"), {}),
        (RGB.convert("1"), {}),
        (RGB.convert("P"), {}),
        (RGB.quantize(8), {"transparency": 3}),
        (RGBA, {}),
        (RGBA.convert("LA"), {}),
        (SIXTEEN_BITS, {}),
    ],
)
def test_pillow_images_are_as_their_files(image, options):
    content = as_file(image, **options)
    opened = Image.open(io.BytesIO(content))
    np.testing.assert_array_equal(decoded(encode_image(opened)), decoded(content))


def test_modes_that_no_png_has_become_colors():
    for mode in ("CMYK", "YCbCr", "HSV", "RGBX"):
        image = RGB.convert(mode)
        expected = np.asarray(image.convert("RGB"))
        np.testing.assert_array_equal(decoded(encode_image(image)), expected)
    np.testing.assert_allclose(
        decoded(encode_image(RGBA.convert("RGBa"))).astype(int),
        decoded(as_file(RGBA)).astype(int),
        atol=2,
    )


def test_a_jpeg_is_turned_as_its_exif_says():
    large = RGB.resize((70, 50))
    content = as_file(large, "JPEG", quality=95, **orientation(TURNED))
    expected = decoded(content).astype(int)
    assert expected.shape == (70, 50, 3)
    opened = Image.open(io.BytesIO(content))
    for image in (opened, opened.convert("RGB")):
        pixels = decoded(encode_image(image))
        np.testing.assert_allclose(pixels.astype(int), expected, atol=10)
    # Turned once, and not again.
    again = decoded(encode_image(Image.fromarray(pixels)))
    np.testing.assert_array_equal(again, pixels)


def test_other_formats_are_left_as_they_are():
    content = as_file(RGB, "PNG", **orientation(TURNED))
    opened = Image.open(io.BytesIO(content))
    assert opened.getexif()[0x0112] == TURNED
    np.testing.assert_array_equal(decoded(encode_image(opened)), decoded(content))


@pytest.mark.parametrize(
    ("array", "message"),
    [
        (np.zeros((4, 4, 3)), r"dtype float64 and shape \(4, 4, 3\)"),
        (np.zeros((4, 4, 3), np.uint16), "dtype uint16"),
        (np.zeros((4, 4), bool), "dtype bool"),
        (np.zeros((3, 4, 4), np.uint8).swapaxes(0, 1)[:, :, :1], r"\(4, 3, 1\)"),
        (np.zeros((2, 4, 4, 3), np.uint8), r"\(2, 4, 4, 3\)"),
        (np.zeros((0, 4, 3), np.uint8), r"\(0, 4, 3\)"),
        (np.zeros(4, np.uint8), r"shape \(4,\)"),
        (np.array(["photo.jpg"]), "dtype <U9"),
    ],
)
def test_other_arrays_are_refused(array, message):
    with pytest.raises(ValueError, match=f"{message}.* is uint8, 0 to 255, "):
        encode_image(array)


def test_other_pillow_images_are_refused():
    with pytest.raises(ValueError, match="mode F has no known range"):
        encode_image(Image.new("F", (3, 2)))
    with pytest.raises(ValueError, match="0 x 2 pixels"):
        encode_image(Image.new("RGB", (0, 2)))
