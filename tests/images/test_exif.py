"""Photos are shown the way up their EXIF says, whatever stands in it."""

import io
import struct

import numpy as np
import pytest
import tensorflow as tf
from PIL import Image, ImageOps

from annotator.images import exif
from annotator.images.decode import decode_image
from annotator.images.resize import Resize

PIXELS = np.random.default_rng(0).integers(0, 256, (20, 30, 3), dtype=np.uint8)
RGB = Image.fromarray(PIXELS)
ORIENTATION, SHORT, LONG = 0x0112, 3, 4
SIGNATURE = [tf.TensorSpec([], tf.string)]
decode_in_graph = tf.function(decode_image, input_signature=SIGNATURE, autograph=False)
orientation = tf.function(exif.orientation, input_signature=SIGNATURE, autograph=False)


def encode(image, format="JPEG", **options):
    buffer = io.BytesIO()
    image.save(buffer, format, **options)
    return buffer.getvalue()


JPEG = encode(RGB)


def tiff(value, order="<", tag=ORIENTATION, kind=SHORT, count=1):
    """A TIFF of three entries, as its specification says; the second is the tag."""
    head = struct.pack(f"{order}2sHI", b"II" if order == "<" else b"MM", 42, 8)
    entries = [
        struct.pack(f"{order}HHII", 0x0100, LONG, 1, 30),
        struct.pack(f"{order}HHIHH", tag, kind, count, value, 0),
        struct.pack(f"{order}HHII", 0x0131, 2, 4, 0x00434241),
    ]
    return head + struct.pack(f"{order}H", 3) + b"".join(entries) + bytes(4)


def segment(marker, content):
    return struct.pack(">BBH", 0xFF, marker, 2 + len(content)) + content


def with_segments(*segments, jpeg=JPEG):
    """A JPEG with these segments before its own."""
    return jpeg[:2] + b"".join(segments) + jpeg[2:]


def with_exif(content, **options):
    return with_segments(segment(0xE1, b"Exif\0\0" + content), **options)


def as_pillow_shows(stored, value):
    image = Image.fromarray(np.asarray(stored))
    image.getexif()[ORIENTATION] = value
    return np.asarray(ImageOps.exif_transpose(image))


@pytest.mark.parametrize("order", "<>")
@pytest.mark.parametrize("mode", ["RGB", "L", "CMYK"])
def test_each_orientation_is_shown_as_pillow_does(mode, order):
    jpeg = encode(RGB.convert(mode))
    stored = decode_image(jpeg)
    shown = set()
    for value in range(1, 9):
        encoded = with_exif(tiff(value, order), jpeg=jpeg)
        assert orientation(encoded) == exif.orientation(encoded) == value
        expected = as_pillow_shows(stored, value)
        assert expected.shape == ((20, 30, 3) if value < 5 else (30, 20, 3))
        for function in (decode_image, decode_in_graph):
            np.testing.assert_array_equal(function(encoded), expected)
        shown.add(expected.tobytes())
    assert len(shown) == 8


@pytest.mark.parametrize("value", range(1, 9))
def test_reads_what_pillow_writes(value):
    tags = Image.Exif()
    tags[ORIENTATION] = value
    tags[0x010F], tags[0x0110] = "A maker", "A model with a long name"
    assert orientation(encode(RGB, exif=tags)) == value
    progressive = encode(RGB, exif=tags, progressive=True, comment=b"taken today")
    assert orientation(progressive) == value


XMP = segment(0xE1, b"http://ns.adobe.com/xap/1.0/\0" + b"<Exif\0\0>" * 4000)
PROFILE = segment(0xE2, b"ICC_PROFILE\0" + bytes(60_000))
COMMENT = segment(0xFE, b"Exif\0\0" + tiff(3))
EXIF = segment(0xE1, b"Exif\0\0" + tiff(6))


@pytest.mark.parametrize(
    "before",
    [
        [XMP],
        [segment(0xE0, b"JFIF\0" + bytes(9)), XMP, PROFILE, PROFILE, COMMENT],
        [segment(0xE1, b"")],
        [segment(0xED, b"x")] * 90,
        [b"\xff"],
        [b"\xff\xff\xff", COMMENT, b"\xff" * 8],
    ],
    ids=["XMP", "many", "empty", "ninety", "filling", "more filling"],
)
def test_other_segments_may_come_before(before):
    encoded = with_segments(*before, EXIF)
    assert orientation(encoded) == 6
    assert decode_in_graph(encoded).shape == (30, 20, 3)


def test_the_first_of_two_counts():
    assert orientation(with_segments(EXIF, segment(0xE1, b"Exif\0\0" + tiff(8)))) == 6


QUANTISATION = JPEG[20 : 22 + int.from_bytes(JPEG[22:24])]


@pytest.mark.parametrize(
    "encoded",
    [
        b"",
        b"\xff",
        b"\xff\xd8",
        b"\xff\xd8\xff",
        JPEG,
        b"not a JPEG" + EXIF,
        with_segments(XMP),
        with_segments(COMMENT),
        with_segments(segment(0xE2, b"Exif\0\0" + tiff(6))),
        with_segments(segment(0xE1, b"Exif\0x" + tiff(6))),
        with_segments(segment(0xE1, b"exif\0\0" + tiff(6))),
        with_segments(QUANTISATION, EXIF),
        JPEG + EXIF,
        encode(RGB, "PNG", exif=b"Exif\0\0" + tiff(6)),
        encode(RGB, "WEBP", exif=b"Exif\0\0" + tiff(6)),
    ],
)
def test_without_exif_nothing_is_turned(encoded):
    assert orientation(encoded) == exif.orientation(encoded) == 1
    if len(encoded) > 500:
        assert decode_in_graph(encoded).shape == (20, 30, 3)


def altered(offset, content):
    """A TIFF of orientation 6 with other bytes at an offset."""
    changed = bytearray(tiff(6))
    changed[offset : offset + len(content)] = content
    return bytes(changed)


@pytest.mark.parametrize("order", "<>")
@pytest.mark.parametrize(
    "options",
    [
        {"value": 0},
        {"value": 9},
        {"value": 0x0106},
        {"value": 0x0600},
        {"value": 65_535},
        {"value": 6, "kind": LONG},
        {"value": 6, "kind": 1},
        {"value": 6, "kind": 0x0300},
        {"value": 6, "count": 0},
        {"value": 6, "count": 2},
        {"value": 6, "count": 2**24},
        {"value": 6, "tag": 0x1201},
    ],
    ids=str,
)
def test_another_value_or_type_is_upright(options, order):
    encoded = with_exif(tiff(order=order, **options))
    assert orientation(encoded) == 1
    np.testing.assert_array_equal(decode_in_graph(encoded), decode_in_graph(JPEG))


@pytest.mark.parametrize(
    "content",
    [
        altered(0, b"MM"),
        altered(0, b"IM"),
        altered(2, b"+"),
        altered(4, struct.pack("<I", 0)),
        altered(4, struct.pack("<I", 9)),
        altered(4, struct.pack("<I", len(tiff(6)) - 1)),
        altered(4, struct.pack("<I", len(tiff(6)))),
        altered(4, struct.pack("<I", 2**31 - 1)),
        altered(4, struct.pack("<I", 2**31)),
        altered(4, struct.pack("<I", 2**32 - 1)),
        altered(8, b"\0\0"),
        altered(8, b"\1\0"),
        b"II*\0" * 16_000,
        b"MM\0*" + b"\0" * 65_000,
    ],
)
def test_a_damaged_directory_is_upright(content):
    encoded = with_exif(content)
    assert orientation(encoded) == exif.orientation(encoded) == 1
    np.testing.assert_array_equal(decode_in_graph(encoded), decode_in_graph(JPEG))


def test_a_directory_may_stand_anywhere_and_claim_too_much():
    assert orientation(with_exif(altered(8, b"\xff\xff"))) == 6
    moved = tiff(6)[:4] + struct.pack("<I", 64_001) + bytes(63_993) + tiff(6)[8:]
    assert orientation(with_exif(moved)) == 6


@pytest.mark.parametrize("order", "<>")
def test_truncated_at_every_byte(order):
    content = tiff(6, order)
    whole = 8 + 2 + 2 * 12  # up to the end of the second entry
    for length in range(len(content)):
        encoded = with_exif(content[:length])
        assert orientation(encoded) == (6 if length >= whole else 1)
    encoded = with_exif(content)
    begin = encoded.index(content)
    for length in range(begin + len(content)):
        assert orientation(encoded[:length]) == (6 if length >= begin + whole else 1)


@pytest.mark.parametrize("size", [0, 1, 2, 7, 8, 9, 30, 65_535])
def test_a_segment_of_an_impossible_size(size):
    encoded = bytearray(with_segments(EXIF))
    encoded[4:6] = struct.pack(">H", size)
    expected = 6 if size == 65_535 else 1  # the file ends first
    for function in (orientation, exif.orientation):
        assert function(tf.constant(bytes(encoded))) == expected


def test_countless_segments_are_not_walked():
    for small in (b"\xff\xe0\0\0", b"\xff\xe0\0\2", b"\xff"):
        assert orientation(with_segments(small * 500_000, EXIF)) == 1


def test_mutated_headers_are_read_or_upright():
    rng = np.random.default_rng(1)
    stored = decode_in_graph(JPEG)
    values = set()
    for number in range(400):
        content = bytearray(tiff(6, "<>"[number % 2]))
        for _ in range(rng.integers(1, 6)):
            content[rng.integers(len(content))] = rng.choice([*range(9), 128, 255])
        encoded = with_exif(bytes(content))
        value = int(orientation(encoded))
        values.add(value)
        np.testing.assert_array_equal(
            decode_in_graph(encoded), as_pillow_shows(stored, value)
        )
    assert {1, 6} < values <= set(range(1, 9))
    whole = with_segments(COMMENT, EXIF)
    for _ in range(400):
        encoded = bytearray(whole)
        for _ in range(rng.integers(1, 6)):
            encoded[rng.integers(len(COMMENT + EXIF))] = rng.integers(256)
        assert 1 <= orientation(bytes(encoded)) <= 8


def test_the_size_is_still_read_from_the_header_alone(set_limit):
    set_limit("MAX_JPEG_PIXELS", 599)
    with pytest.raises(tf.errors.InvalidArgumentError, match="600"):
        decode_image(with_segments(EXIF))
    set_limit("MAX_JPEG_PIXELS", 600)
    assert decode_image(with_segments(EXIF)).shape == (30, 20, 3)


def test_a_saved_model_turns_each_of_a_batch(tmp_path):
    resizes = [Resize(16), Resize(8, "center_crop", flip=True)]

    def views(encoded):
        image = decode_image(encoded)
        return [resize(image) for resize in resizes]

    class Viewer(tf.Module):
        @tf.function(
            input_signature=[tf.TensorSpec([None], tf.string)], autograph=False
        )
        def __call__(self, encoded):
            specs = [tf.TensorSpec((resize.size, resize.size, 3)) for resize in resizes]
            return tf.map_fn(
                views, encoded, fn_output_signature=specs, parallel_iterations=2
            )

    tf.saved_model.save(Viewer(), str(tmp_path))
    viewer = tf.saved_model.load(str(tmp_path))
    png = encode(RGB, "PNG")
    given = [with_exif(tiff(value, ">")) for value in range(1, 9)] + [png, JPEG]
    stored = decode_in_graph(JPEG)
    shown = [as_pillow_shows(stored, value) for value in range(1, 9)]
    shown += [np.asarray(RGB), stored]
    for view, resize in zip(viewer(tf.constant(given)), resizes, strict=True):
        expected = [resize(image) for image in shown]
        np.testing.assert_allclose(view, expected, atol=1e-3)
