"""Decoding ahead: in order, no further than asked, one bad image on its own."""

import io

import numpy as np
import pytest
from PIL import Image

from annotator.images.read_ahead import decode_ahead, map_ahead
from annotator.images.resize import Resize


def test_reading_is_never_far_ahead():
    """Memory stays the same however many images there are."""
    taken = []

    def endless():
        for number in range(10**9):
            taken.append(number)
            yield number

    results = map_ahead(lambda number: -number, endless(), workers=2, ahead=8)
    assert [next(results) for _ in range(100)] == [-number for number in range(100)]
    assert len(taken) == 100 + 8
    results.close()


@pytest.mark.parametrize(
    ("size", "ahead"),
    [(1, 30), (2**25, 8), (2**30, 3)],  # 256 MiB, but as many as there are threads
)
@pytest.mark.parametrize("what", ["item_bytes", "result_bytes"])
def test_less_is_read_ahead_of_large_files(what, size, ahead):
    taken = 0

    def endless():
        nonlocal taken
        while True:
            taken += 1
            yield b""

    results = map_ahead(
        lambda item: item, endless(), 3, ahead=30, **{what: lambda _: size}
    )
    for asked in range(1, 100):
        next(results)
        # The first ones are not known yet.
        assert taken - asked <= (ahead if asked > 1 else 30)
    assert taken - asked == ahead
    results.close()


@pytest.mark.parametrize("count", [0, 1, 5])
def test_fewer_items_than_are_read_ahead_all_come_out(count):
    assert list(map_ahead(str, range(count), ahead=8)) == [str(i) for i in range(count)]


def test_bad_images_leave_the_others_alone():
    buffer = io.BytesIO()
    Image.new("RGB", (6, 5), (255, 0, 51)).save(buffer, "PNG")
    pairs = [
        ("gone", FileNotFoundError(2, "No such file or directory")),
        ("good", buffer.getvalue()),
        ("text", b"not an image"),
    ]
    gone, good, text = decode_ahead(pairs, [Resize(4), Resize(2)], workers=2)
    assert gone == ("gone", None, "No such file or directory")
    name, (large, small), error = good
    assert (name, error) == ("good", None)
    np.testing.assert_allclose(large, np.tile([255.0, 0.0, 51.0], (4, 4, 1)), atol=1e-4)
    assert small.shape == (2, 2, 3)
    assert text[:2] == ("text", None)
    assert text[2]
    assert "\n" not in text[2]


@pytest.mark.parametrize("kind", ["PNG", "GIF", "BMP", "WEBP", "TIFF", "JPEG"])
def test_files_that_end_within_their_header_are_errors_of_one_image(kind):
    buffer = io.BytesIO()
    Image.new("RGBA" if kind in ("PNG", "WEBP") else "L", (9, 7)).save(buffer, kind)
    contents = [buffer.getvalue()[:size] for size in range(34)]
    found = list(decode_ahead(enumerate(contents), [Resize(8)], workers=2))
    assert [name for name, *_ in found] == list(range(34))
    assert all(views is None and error for _, views, error in found)
