"""Palettes and the fourth byte of BMPs, which TensorFlow takes for something else."""

import io
import struct

import numpy as np
import pytest
import tensorflow as tf
from PIL import Image

from annotator.images.decode import decode_image

RNG = np.random.default_rng(0)
PIXELS = RNG.integers(0, 256, (3, 5, 3), dtype=np.uint8)
MASKS = (0xFF0000, 0xFF00, 0xFF)
ALPHA = 0xFF000000


def bmp(data, bits, header=40, compression=0, masks=(), palette=(), used=0):
    """A BMP of 5 x 3 pixels, from the bottom up, as its specification says."""
    info = struct.pack("<IiiHH", header, 5, 3, 1, bits)
    info += struct.pack("<IIiiII", compression, len(data), 0, 0, used, 0)
    info += b"".join(struct.pack("<I", mask) for mask in masks)
    info = info.ljust(header, b"\0")
    info += b"".join(bytes([b, g, r, 0]) for r, g, b in palette)
    begin = 14 + len(info)
    head = b"BM" + struct.pack("<IHHI", begin + len(data), 0, 0, begin)
    return head + info + data


def data_32(fourth):
    blue_first = PIXELS[::-1, :, ::-1]
    return np.dstack([blue_first, np.full((3, 5), fourth, np.uint8)]).tobytes()


def data_8(indices):
    """Rows are a multiple of four bytes long."""
    return np.pad(np.uint8(indices)[::-1], ((0, 0), (0, 3))).tobytes()


@tf.function(input_signature=[tf.TensorSpec([], tf.string)], autograph=False)
def signature(encoded):
    return decode_image(encoded)


def decode_all(encoded):
    """What comes eagerly; a graph must give the same."""
    eager = decode_image(encoded).numpy()
    np.testing.assert_array_equal(signature(tf.constant(encoded)), eager)
    return eager


@pytest.mark.parametrize("fourth", [0, 128, 255])
@pytest.mark.parametrize(
    "layout",
    [
        {},
        {"header": 108},
        {"compression": 3, "masks": MASKS},
        {"compression": 3, "masks": (*MASKS, 0), "header": 108},
    ],
    ids=["plain", "plain V4", "masks", "V4 without alpha"],
)
def test_the_fourth_byte_is_unused_unless_it_has_a_mask(fourth, layout):
    encoded = bmp(data_32(fourth), 32, **layout)
    np.testing.assert_array_equal(decode_all(encoded), PIXELS)


@pytest.mark.parametrize("header", [56, 108, 124])
def test_a_mask_of_alpha_makes_it_alpha(header):
    layout = {"compression": 3, "masks": (*MASKS, ALPHA), "header": header}
    opaque = decode_all(bmp(data_32(255), 32, **layout))
    np.testing.assert_array_equal(opaque, PIXELS)
    half = decode_all(bmp(data_32(51), 32, **layout))  # a fifth, over white
    np.testing.assert_allclose(half, 204 + PIXELS / 5, atol=0.5)
    assert (decode_all(bmp(data_32(0), 32, **layout)) == 255).all()


@pytest.mark.parametrize("colors", [2, 7, 200, 256])
@pytest.mark.parametrize("header", [40, 124])
def test_a_palette_is_looked_up(colors, header):
    palette = RNG.integers(0, 256, (colors, 3))
    indices = RNG.integers(0, colors, (3, 5))
    encoded = bmp(data_8(indices), 8, header, palette=palette.tolist(), used=colors)
    np.testing.assert_array_equal(decode_all(encoded), palette[indices])
    with Image.open(io.BytesIO(encoded)) as image:
        np.testing.assert_array_equal(image.convert("RGB"), palette[indices])


@pytest.mark.parametrize("used", [0, 2, 10**9])
def test_what_the_palette_does_not_reach_is_black(used):
    indices = np.array([[0, 1, 2, 3, 255]] * 3)
    palette = np.array([[10, 20, 30], [40, 50, 60]])
    encoded = bmp(data_8(indices), 8, palette=palette.tolist(), used=used)
    expected = np.zeros((3, 5, 3))
    expected[:, :2] = palette
    np.testing.assert_array_equal(decode_all(encoded), expected)


@pytest.mark.parametrize("colors", [2, 16, 256])
def test_reads_what_pillow_writes(colors):
    pixels = RNG.integers(0, 256, (20, 30, 3), dtype=np.uint8)
    image = Image.fromarray(pixels).quantize(colors)
    encoded = io.BytesIO()
    image.save(encoded, "BMP")
    if colors == 2:  # Pillow keeps 8 bits for a palette
        assert struct.unpack_from("<H", encoded.getvalue(), 28) == (8,)
    np.testing.assert_array_equal(decode_all(encoded.getvalue()), image.convert("RGB"))


def test_a_saved_model_decodes_them_too(tmp_path):
    class Decoder(tf.Module):
        @tf.function(
            input_signature=[tf.TensorSpec([None], tf.string)], autograph=False
        )
        def __call__(self, encoded):
            return tf.map_fn(
                decode_image,
                encoded,
                fn_output_signature=tf.TensorSpec([3, 5, 3], tf.uint8),
            )

    tf.saved_model.save(Decoder(), str(tmp_path))
    decoder = tf.saved_model.load(str(tmp_path))
    indices = RNG.integers(0, 2, (3, 5))
    palette = np.array([[200, 10, 30], [4, 5, 250]])
    png = tf.io.encode_png(PIXELS).numpy()
    given = [
        bmp(data_32(0), 32),
        bmp(data_8(indices), 8, palette=palette.tolist(), used=2),
        png,
    ]
    expected = [PIXELS, palette[indices], PIXELS]
    np.testing.assert_array_equal(decoder(tf.constant(given)), expected)


@pytest.mark.parametrize(
    "encoded",
    [
        bmp(data_8(np.zeros((3, 5))), 1, palette=[(0, 0, 0)] * 2),
        bmp(data_8(np.zeros((3, 5))), 4, palette=[(0, 0, 0)] * 16),
        bmp(bytes(3 * 12), 16),
        bmp(bytes(1000), 8, compression=1, palette=[(0, 0, 0)] * 256),
        bmp(data_32(0), 32, compression=3, masks=MASKS[::-1]),  # red comes first
        bmp(data_32(0), 32, compression=6, masks=(*MASKS, ALPHA)),
        b"BM" + struct.pack("<IHHIIHHHH", 71, 0, 0, 26, 12, 5, 3, 1, 24) + bytes(48),
    ],
    ids=["1 bit", "4 bits", "16 bits", "RLE", "masks", "alpha bits", "OS/2"],
)
def test_other_kinds_are_refused_with_a_remedy(encoded):
    with pytest.raises(tf.errors.InvalidArgumentError, match="Of BMP.*as PNG"):
        decode_image(encoded)


@pytest.mark.parametrize("size", [0, 39, 125, 44_000, 2**32 - 1])
def test_a_header_of_an_impossible_size_is_refused(size):
    encoded = bytearray(bmp(data_8(np.zeros((3, 5))), 8, palette=[(1, 2, 3)]))
    encoded[14:18] = struct.pack("<I", size)
    for function in (decode_image, signature):
        with pytest.raises(tf.errors.InvalidArgumentError, match="Of BMP.*as PNG"):
            function(tf.constant(bytes(encoded)))


@pytest.mark.parametrize("length", [2, 20, 40, 54, 60, 80])
def test_a_bmp_that_was_cut_off_is_refused(length):
    encoded = bmp(data_8(np.zeros((3, 5))), 8, palette=[(1, 2, 3)] * 9, used=9)
    with pytest.raises(tf.errors.InvalidArgumentError):
        decode_image(encoded[:length])
