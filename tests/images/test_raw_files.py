"""Raw files as cameras lay them out, read by LibRaw itself: what counts is the preview.

No camera's own file is free to be kept here. These are built after Adobe's DNG
specification 1.4: a JPEG preview in the first directory, the sensor's values in another
below it.
"""

import io
import struct

import numpy as np
import pytest
from PIL import Image

from annotator.images.decode import decode_image
from annotator.images.photos import graph_content

pytest.importorskip("rawpy", reason="extra photos")

BYTE, ASCII, SHORT, LONG, RATIONAL, SRATIONAL = 1, 2, 3, 4, 5, 10
_CODES = {BYTE: "B", ASCII: "B", SHORT: "H", LONG: "I", RATIONAL: "II", SRATIONAL: "ii"}
PREVIEW, SENSOR = (160, 120), (192, 144)


def directory(entries, start):
    """A TIFF directory that begins at `start`, with what does not fit into it behind.

    Args:
        entries: Dict from tag to a type and its values, a flat list.
        start: Where it begins.
    """
    behind = start + 2 + 12 * len(entries) + 4
    table, data = struct.pack("<H", len(entries)), b""
    for tag, (kind, values) in sorted(entries.items()):
        code = _CODES[kind]
        count = len(values) // len(code)
        packed = struct.pack("<" + code * count, *values)
        table += struct.pack("<HHI", tag, kind, count)
        if len(packed) <= 4:
            table += packed.ljust(4, b"\0")
        else:
            table += struct.pack("<I", behind + len(data))
            data += packed + b"\0" * (len(packed) % 2)
    return table + struct.pack("<I", 0) + data


def dng(preview, orientation):
    """A DNG of a gray sensor; `preview` is a JPEG."""
    width, height = SENSOR
    values = np.full((height, width), 2000, "<u2").tobytes()
    jpeg = preview + b"\0" * (len(preview) % 2)
    at_preview = 8
    at_values = at_preview + len(jpeg)
    at_raw = at_values + len(values)
    raw = directory(
        {
            254: (LONG, [0]),
            256: (LONG, [width]),
            257: (LONG, [height]),
            258: (SHORT, [16]),
            259: (SHORT, [1]),
            262: (SHORT, [32803]),  # a color filter array
            273: (LONG, [at_values]),
            277: (SHORT, [1]),
            278: (LONG, [height]),
            279: (LONG, [len(values)]),
            33421: (SHORT, [2, 2]),
            33422: (BYTE, [0, 1, 1, 2]),
            50714: (SHORT, [0]),
            50717: (LONG, [4095]),
        },
        at_raw,
    )
    at_first = at_raw + len(raw)
    first = directory(
        {
            254: (LONG, [1]),
            256: (LONG, [PREVIEW[0]]),
            257: (LONG, [PREVIEW[1]]),
            258: (SHORT, [8, 8, 8]),
            259: (SHORT, [7]),
            262: (SHORT, [6]),
            271: (ASCII, b"Maker\0"),
            272: (ASCII, b"Model\0"),
            273: (LONG, [at_preview]),
            274: (SHORT, [orientation]),
            277: (SHORT, [3]),
            278: (LONG, [PREVIEW[1]]),
            279: (LONG, [len(preview)]),
            330: (LONG, [at_raw]),
            50706: (BYTE, [1, 4, 0, 0]),
            50707: (BYTE, [1, 1, 0, 0]),
            50708: (ASCII, b"Maker Model\0"),
            50721: (SRATIONAL, [1, 1, 0, 1, 0, 1, 0, 1, 1, 1, 0, 1, 0, 1, 0, 1, 1, 1]),
            50728: (RATIONAL, [1, 1, 1, 1, 1, 1]),
            50778: (SHORT, [21]),
        },
        at_first,
    )
    return b"II*\0" + struct.pack("<I", at_first) + jpeg + values + raw + first


@pytest.mark.slow
@pytest.mark.parametrize(("orientation", "turns"), [(1, 0), (3, 2), (6, 3), (8, 1)])
def test_the_preview_of_a_dng_is_read_upright(orientation, turns):
    rng = np.random.default_rng(0)
    small = Image.fromarray(rng.integers(0, 256, (6, 8, 3), np.uint8))
    picture = small.resize(PREVIEW, Image.Resampling.BICUBIC)
    encoded = io.BytesIO()
    picture.save(encoded, "JPEG", quality=95)
    content = dng(encoded.getvalue(), orientation)
    found = decode_image(graph_content(content, "a.dng")).numpy().astype(int)
    expected = np.rot90(np.asarray(picture), turns)
    assert found.shape == expected.shape
    assert abs(found - expected).mean() < 4


@pytest.mark.slow
def test_a_dng_that_is_cut_off_is_damaged():
    encoded = io.BytesIO()
    Image.new("RGB", PREVIEW).save(encoded, "JPEG")
    content = dng(encoded.getvalue(), 1)
    with pytest.raises(ValueError, match="damaged"):
        graph_content(content[: len(content) // 2], "a.dng")
