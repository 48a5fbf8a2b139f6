"""A folder of small photographs, and a library of it."""

import numpy as np
import pytest
from PIL import Image

from annotator.library.library import Library, file_states

NAMES = ["a.jpg", "b.png", "trip/c.jpg", "trip/d.jpg"]


@pytest.fixture
def photographs(tmp_path):
    """Four files; `trip/c.jpg` is stored lying on its side."""
    folder = tmp_path / "photographs"
    rng = np.random.default_rng(0)
    for number, name in enumerate(NAMES):
        path = folder / name
        path.parent.mkdir(parents=True, exist_ok=True)
        pixels = rng.integers(0, 256, (60, 90 + number, 3), np.uint8)
        exif = Image.Exif()
        if name == "trip/c.jpg":
            exif[0x0112] = 6
        Image.fromarray(pixels).save(path, exif=exif)
    return folder


@pytest.fixture
def library(photographs, tmp_path):
    opened = Library(tmp_path / "library", photographs)
    opened.update(file_states(photographs, [photographs / name for name in NAMES]))
    yield opened
    opened.close()
