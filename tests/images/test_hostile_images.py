"""Images that are broken, or made to break something."""

import io
import struct
import subprocess
import sys
import zlib

import numpy as np
import pytest
import tensorflow as tf
from PIL import Image

from annotator.annotation import run as annotation
from annotator.images import gif
from annotator.images.decode import decode_image

PIXELS = np.random.default_rng(0).integers(0, 256, (20, 30, 4), np.uint8)
RGB = Image.fromarray(PIXELS[..., :3])


def encode(image, format, **options):
    buffer = io.BytesIO()
    image.save(buffer, format, **options)
    return buffer.getvalue()


def wide_png(width, height):
    """A whole PNG, one bit a pixel, made without holding its pixels."""

    def chunk(kind, data):
        checksum = struct.pack(">I", zlib.crc32(kind + data))
        return struct.pack(">I", len(data)) + kind + data + checksum

    row = bytes(1 + (width + 7) // 8)
    packer = zlib.compressobj()
    data = b"".join(packer.compress(row) for _ in range(height)) + packer.flush()
    header = struct.pack(">IIBBBBB", width, height, 1, 0, 0, 0, 0)
    return b"\x89PNG\r\n\x1a\n" + b"".join(
        [chunk(b"IHDR", header), chunk(b"IDAT", data), chunk(b"IEND", b"")]
    )


def wide_jpeg(width, height):
    """A small JPEG whose header claims another size."""
    encoded = bytearray(encode(RGB, "JPEG"))
    frame = encoded.index(b"\xff\xc0")
    encoded[frame + 5 : frame + 9] = struct.pack(">HH", height, width)
    return bytes(encoded)


def lying_gif(width, height):
    """A GIF of one pixel, says its header, and its frame is larger."""
    encoded = bytearray(encode(Image.new("P", (width, height)), "GIF"))
    encoded[6:10] = struct.pack("<HH", 1, 1)
    return bytes(encoded)


def animated(format):
    frames = [RGB.rotate(90), RGB.rotate(180)]
    return encode(RGB, format, save_all=True, append_images=frames)


MEANS = PIXELS[..., :3].mean((0, 1))
GREY_16 = np.uint16(PIXELS[..., 0]) * 257

# What each file gives: the mean color to expect, or part of the error.
TABLE = {
    "empty file.jpg": (b"", "its length in bytes is 0"),
    "truncated.jpg": (encode(RGB, "JPEG")[:300], "Invalid JPEG data"),
    "truncated.png": (encode(RGB, "PNG")[:300], "PNG"),
    "text.jpg": (b"Not an image at all.", "it begins with Not an image at"),
    "bytes.jpg": (bytes(range(200, 256)), "it begins with \N{REPLACEMENT CHARACTER}"),
    "page.html.jpg": (b"<!DOCTYPE html><html></html>", "it begins with <!DOCTYPE"),
    "ico.png": (encode(RGB, "ICO"), "Not a JPEG, PNG, GIF, BMP or WebP image"),
    "tiff.png": (encode(RGB, "TIFF")[:600], "A damaged TIFF file"),
    "cmyk.jpg": (
        encode(Image.new("CMYK", (30, 20), (255, 0, 0, 0)), "JPEG"),
        [0, 255, 255],
    ),
    "16 bits.png": (
        encode(Image.fromarray(GREY_16), "PNG"),
        [PIXELS[..., 0].mean()] * 3,
    ),
    "animated.gif": (animated("GIF"), MEANS),
    "animated.webp": (animated("WEBP"), "An animated WebP cannot be read"),
    "one pixel.png": (encode(Image.new("RGB", (1, 1), (9, 8, 7)), "PNG"), [9, 8, 7]),
    "one pixel.jpg": (encode(Image.new("L", (1, 1), 99), "JPEG"), [99] * 3),
    "large.png": (wide_png(20_000, 20_000), "67108864 pixels is refused; it has 4000"),
    "large.jpg": (wide_jpeg(20_000, 20_000), "pixels is refused; it has 400000000"),
    # Resizing would take 2.7 GB for this file of 280 bytes.
    "long.png": (wide_png(1_000_000, 1), "side of more than 65535 pixels is refused"),
    "lying.gif": (lying_gif(9_000, 9_000), "pixels is refused; it has 81000000"),
    "png inside.jpg": (encode(RGB, "PNG"), MEANS),
    "jpeg inside.gif": (encode(Image.new("RGB", (8, 8)), "JPEG"), [0, 0, 0]),
    "with zeros behind.png": (encode(RGB, "PNG") + bytes(99), MEANS),
}


@pytest.mark.parametrize("name", TABLE)
def test_table_of_bad_inputs(name, mean_color):
    encoded, expected = TABLE[name]
    beside = encode(RGB, "PNG")
    pairs = [("before", beside), (name, encoded), ("after", beside)]
    before, record, after = annotation.records(mean_color, pairs)
    assert record["image"] == name
    if isinstance(expected, str):
        assert set(record) == {"image", "error"}
        assert expected in record["error"] and "\n" not in record["error"]
        assert len(record["error"]) < 150  # no traceback
    else:
        # The resizing to 4 x 4 rounds the mean a little.
        np.testing.assert_allclose(record["tag_scores"], expected, atol=3)
    for neighbor in (before, after):
        np.testing.assert_allclose(neighbor["tag_scores"], MEANS, atol=3)


REFUSE = """
import resource, sys
import tensorflow as tf
from annotator.images.decode import decode_image
in_graph = tf.function(decode_image)
in_graph(tf.io.encode_png(tf.zeros([2, 2, 3], tf.uint8)))
before = resource.getrusage(resource.RUSAGE_SELF).ru_maxrss
for path in sys.argv[1:]:
    encoded = tf.constant(open(path, "rb").read())
    for run in (in_graph, decode_image):
        try:
            run(encoded)
        except tf.errors.InvalidArgumentError:
            print("refused")
print((resource.getrusage(resource.RUSAGE_SELF).ru_maxrss - before) // 1024)
"""


@pytest.mark.slow
def test_large_images_cost_no_memory(tmp_path):
    """20,000 x 20,000 pixels are refused before they are decoded in full."""
    names = ("large.png", "large.jpg", "lying.gif")
    for name in names:
        (tmp_path / name).write_bytes(TABLE[name][0])
    output = subprocess.run(
        [sys.executable, "-c", REFUSE, *(tmp_path / name for name in names)],
        capture_output=True,
        text=True,
        check=True,
    ).stdout
    *refused, grown = output.split()
    assert refused == ["refused"] * 6
    assert int(grown) < 100  # MB; the smallest of them has 81 million pixels


decode_in_graph = tf.function(
    decode_image,
    input_signature=[tf.TensorSpec([], tf.string)],
    autograph=False,
)


def test_gif_of_many_frames_is_cut_behind_the_first():
    options = {"comment": b"x" * 700, "save_all": True}
    frames = [RGB.rotate(90 * i) for i in range(1, 31)]
    encoded = encode(RGB, "GIF", append_images=frames, **options)
    alone = decode_image(encode(RGB, "GIF", comment=b"x" * 700))
    for decode in (decode_image, decode_in_graph):
        np.testing.assert_array_equal(decode(tf.constant(encoded)), alone)
    cut, pixels = gif.first_frame(tf.constant(encoded))
    assert pixels == 30 * 20 and len(cut.numpy()) < len(encoded) / 10
    with Image.open(io.BytesIO(cut.numpy())) as image:
        assert image.n_frames == 1


def test_gif_of_countless_pieces_is_refused():
    """A megabyte of comment, in pieces of a byte or two, would be walked for long."""
    encoded = encode(RGB, "GIF")
    begin = 13 + 3 * 2 ** (encoded[10] % 8 + 1)

    def commented(piece, count):
        block = b"!\xfe" + piece * count + b"\0"
        return tf.constant(encoded[:begin] + block + encoded[begin:])

    expected = decode_image(encoded)
    for decode in (decode_image, decode_in_graph):
        with pytest.raises(
            tf.errors.InvalidArgumentError,
            match=r"(?s)small pieces is refused.*16384",
        ):
            decode(commented(b"\x01x\x02xx", 200_000))
        for harmless in (
            commented(b"\xff" + b"x" * 255, 6000),
            commented(b"\xfe" + b"x" * 254, 6000),
            commented(b"\x01x", 300_000),  # a step each 64
            commented(b"\x01x\x02xx", 2000),
        ):
            np.testing.assert_array_equal(decode(harmless), expected)


def test_a_gif_with_much_before_its_pixels_is_refused(set_limit):
    """Its data would take seconds to decode."""
    set_limit("_MOST_BYTES", 500, gif)
    encoded = encode(RGB, "GIF")
    message = f"(?s)ends behind 500 bytes is refused.*{len(encoded) - 1}"
    for decode in (decode_image, tf.function(decode_image, autograph=False)):
        with pytest.raises(tf.errors.InvalidArgumentError, match=message):
            decode(tf.constant(encoded))


def mutants(count, seed):
    """Images of all kinds with bytes changed at random, some of them cut off."""
    rng = np.random.default_rng(seed)
    rgba = Image.fromarray(PIXELS)
    seeds = [
        encode(RGB, "JPEG"),
        encode(RGB, "JPEG", progressive=True),
        encode(RGB.convert("L"), "JPEG"),
        encode(RGB.convert("CMYK"), "JPEG"),
        encode(RGB, "PNG"),
        encode(RGB.convert("P"), "PNG"),
        encode(rgba, "PNG"),
        encode(Image.fromarray(GREY_16), "PNG"),
        encode(RGB, "GIF"),
        animated("GIF"),
        encode(RGB, "BMP"),
        encode(RGB.convert("L"), "BMP"),
        encode(RGB, "WEBP"),
        encode(RGB, "WEBP", lossless=True),
        encode(rgba, "WEBP"),
        animated("WEBP"),
    ]
    for number in range(count):
        encoded = bytearray(seeds[number % len(seeds)])
        # Half of the changes meet the header, where most can go wrong.
        end = min(len(encoded), 64) if rng.random() < 0.5 else len(encoded)
        for _ in range(rng.integers(1, 1 + rng.choice([1, 4, 16, 64]))):
            encoded[rng.integers(end)] = rng.integers(256)
        if rng.random() < 0.2:
            del encoded[rng.integers(len(encoded)) :]
        yield f"{number}", bytes(encoded)


@pytest.mark.parametrize(
    "count", [320, pytest.param(2000, marks=pytest.mark.slow)], ids=str
)
def test_mutated_images_are_read_or_refused(count, mean_color):
    records = list(annotation.records(mean_color, mutants(count, seed=count)))
    assert [record["image"] for record in records] == [f"{i}" for i in range(count)]
    read = [record["tag_scores"] for record in records if "error" not in record]
    assert count / 10 < len(read) < count * 9 / 10
    assert np.all(np.isfinite(read)) and 0 <= np.min(read) and np.max(read) <= 255
    for record in records:
        assert record.get("error", "reason") and "\n" not in record.get("error", "")
