"""Sidecars as other programs lay them out.

- `digikam.xmp`: one `rdf:Description`, several lists of the same tags;
- `darktable.xmp`: no packet around it, a history, a flat list;
- `lightroom.xmp`: Windows' line ends, one empty tag with all as attributes.
"""

import pathlib

import pytest

FOLDER = pathlib.Path(__file__).parent


@pytest.fixture(params=["digikam", "darktable", "lightroom"])
def packet(request):
    """The bytes of a sidecar of another program."""
    return (FOLDER / f"{request.param}.xmp").read_bytes()


@pytest.fixture
def digikam():
    return (FOLDER / "digikam.xmp").read_bytes()


@pytest.fixture
def lightroom():
    return (FOLDER / "lightroom.xmp").read_bytes()
