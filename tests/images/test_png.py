"""PNGs cut down: the same pixels, whatever stands around them, and no bombs."""

import io
import struct
import zlib

import numpy as np
import pytest
import tensorflow as tf
from PIL import Image

from annotator.images.decode import decode_image
from annotator.images.errors import message
from annotator.images.png import pixels_only

SIGNATURE = b"\x89PNG\r\n\x1a\n"
RNG = np.random.default_rng(0)
RGB = np.uint8(RNG.integers(0, 256, (6, 7, 3)))


def chunk(kind, data=b""):
    checksum = struct.pack(">I", zlib.crc32(kind + data))
    return struct.pack(">I", len(data)) + kind + data + checksum


def png(*chunks, width=7, height=6, bits=8, color=2):
    header = struct.pack(">IIBBBBB", width, height, bits, color, 0, 0, 0)
    return SIGNATURE + chunk(b"IHDR", header) + b"".join(chunks)


ROWS = b"".join(b"\0" + row.tobytes() for row in RGB)
DATA = zlib.compress(ROWS)
PIXELS, END = chunk(b"IDAT", DATA), chunk(b"IEND")
PIECES = [chunk(b"IDAT", bytes([byte])) for byte in DATA]
BOMB = chunk(b"zTXt", b"k\0\0" + zlib.compress(bytes(10**6)))
PROFILE = chunk(b"iCCP", b"k\0\0" + zlib.compress(bytes(10**6)))
WHOLE = png(PIXELS, END)


@pytest.mark.parametrize(
    "chunks",
    [
        [PIXELS, END],
        [BOMB, PROFILE, chunk(b"gAMA", bytes(4)), PIXELS, BOMB, END, b"more"],
        [PIXELS],  # cut off behind all that counts
        [chunk(b"abCD") * 5000, PIXELS, chunk(b"abCD") * 5000, END],
        [BOMB, PIXELS, BOMB, PIXELS, END],  # pixels are one run
    ],
)
def test_what_is_not_pixels_goes(chunks):
    encoded = png(*chunks)
    assert pixels_only(encoded).numpy() == WHOLE
    np.testing.assert_array_equal(decode_image(encoded), RGB)


def test_pixels_may_come_in_pieces():
    encoded = png(BOMB, *PIECES, BOMB, END)
    assert pixels_only(encoded).numpy() == png(*PIECES, END)
    np.testing.assert_array_equal(decode_image(encoded), RGB)


@pytest.mark.parametrize("mode", ["P", "RGB", "RGBA", "L", "LA", "I;16", "1"])
@pytest.mark.parametrize("transparency", [None, 3])
def test_palette_and_transparency_stay(mode, transparency):
    content = io.BytesIO()
    image = Image.fromarray(RGB)
    image = image.convert("L").convert(mode) if mode == "I;16" else image.convert(mode)
    options = {}
    if transparency is not None and mode in ("P", "L"):
        options["transparency"] = transparency
    image.save(content, "PNG", **options)
    encoded = content.getvalue()
    assert pixels_only(encoded).numpy() == encoded


def refusal(encoded):
    with pytest.raises(tf.errors.InvalidArgumentError) as caught:
        decode_image(encoded)
    return message(caught.value)


@pytest.mark.parametrize(
    ("encoded", "reason"),
    [
        (png(chunk(b"abCD") * 9000, PIXELS, END), "so many small chunks is refused"),
        (png(*PIECES * 100, END), "so many small chunks is refused"),
        (png(chunk(b"ABCD"), PIXELS, END), "PNG"),  # nobody knows what it means
        (png(END, PIXELS), "PNG"),
        (png(struct.pack(">I", 2**32 - 1) + b"abCD", PIXELS), "PNG"),
        (png(b"\0\0\0"), "PNG"),
        (SIGNATURE, "PNG"),
        (png(PIXELS, END, width=8192, height=8192, bits=16), "PNG of more than"),
        (png(PIXELS, END, width=8191, height=8193, color=6, bits=16), "of more than"),
    ],
)
def test_what_is_refused(encoded, reason):
    assert reason in refusal(encoded)


def scans(side, count):
    content = io.BytesIO()
    Image.new("L", (side, side)).save(content, "JPEG", progressive=True)
    encoded = content.getvalue()
    begin = encoded.rindex(b"\xff\xda")
    return encoded[:begin] + encoded[begin:-2] * count + encoded[-2:]


def test_scans_are_counted_against_pixels():
    decode_image(scans(64, 100))
    assert "so many scans is refused" in refusal(scans(64, 2000))
    decode_image(scans(1024, 20))
    assert "so many scans is refused" in refusal(scans(1024, 1000))


def test_coefficients_are_held_for_several_scans_alone():
    """The claim of a small file: 64 megapixels in four colors."""
    for progressive, reason in ((True, "so many coefficients"), (False, "")):
        content = io.BytesIO()
        image = Image.new("CMYK", (16, 16))
        image.save(content, "JPEG", progressive=progressive)
        encoded = content.getvalue()
        frame = encoded.index(b"\xff\xc2" if progressive else b"\xff\xc0") + 5
        claim = encoded[:frame] + struct.pack(">HH", 8000, 8000) + encoded[frame + 4 :]
        if reason:
            assert reason in refusal(claim)


def test_blocks_of_alpha_are_composited_like_the_whole():
    for height in (1, 15, 16, 17, 33):
        rgba = np.uint8(RNG.integers(0, 256, (height, 5, 4)))
        content = io.BytesIO()
        Image.fromarray(rgba).save(content, "PNG")
        color, alpha = rgba[..., :3].astype(int), rgba[..., 3:].astype(int)
        wanted = (color * alpha + 255 * (255 - alpha) + 127) // 255
        np.testing.assert_array_equal(decode_image(content.getvalue()), wanted)


def test_large_images_with_alpha_are_refused():
    packer = zlib.compressobj(1)
    data = b"".join(packer.compress(bytes(1 + 4 * 8192)) for _ in range(4097))
    encoded = png(
        chunk(b"IDAT", data + packer.flush()), END, width=8192, height=4097, color=6
    )
    assert "with alpha of more than 33554432 pixels is refused" in refusal(encoded)
