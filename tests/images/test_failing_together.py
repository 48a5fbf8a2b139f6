"""Threads that fail at the same moment: none waits for another for ever."""

import pathlib
import subprocess
import sys

import pytest

from annotator.images.read_ahead import decode_ahead
from annotator.images.resize import Resize

BENCHMARK = pathlib.Path(__file__).parents[2] / "benchmarks" / "mutated_images.py"
BAD = [b"no image", b"\x89PNG\r\n\x1a\n" + bytes(60), b"BM" + bytes(80)]


def test_images_that_fail_together():
    pairs = [(i, BAD[i % len(BAD)]) for i in range(300)]
    found = list(decode_ahead(pairs, [Resize(8)], workers=4))
    assert [name for name, *_ in found] == list(range(300))
    reasons = [error for *_, error in found]
    assert reasons == reasons[:3] * 100
    assert reasons[0].startswith("Not a JPEG, PNG, GIF, BMP or WebP image; it begins")
    assert "PNG" in reasons[1] and reasons[2].startswith("Of BMP, only 8, 24 and 32")
    for reason in reasons:
        assert "node" not in reason and "[Op:" not in reason and "\n" not in reason


@pytest.mark.slow
@pytest.mark.timeout(0)
@pytest.mark.parametrize(
    "arguments",
    [
        ["--count=200000", "--repeats=20", "--failing"],
        ["--count=1000000"],
    ],
)
def test_countless_images(arguments):
    """Hours; `benchmarks/mutated_images.py` with smaller counts does the same."""
    command = [sys.executable, BENCHMARK, "--workers=4", *arguments]
    result = subprocess.run(command, capture_output=True, text=True)
    assert result.returncode == 0, result.stdout + result.stderr
