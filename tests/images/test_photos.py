"""Formats of phones and cameras: the pixels are those that their own decoders give."""

import contextlib
import io
import json
import re
import sys

import numpy as np
import pytest
from PIL import Image

from annotator.images.decode import decode_image
from annotator.images.photos import (
    conversion,
    converter_process,
    converters,
    graph_content,
    photo_kind,
)
from annotator.images.photos.conversion import convert
from annotator.images.read_ahead import decode_ahead
from annotator.images.resize import Resize

PIXELS = np.random.default_rng(0).integers(0, 256, (20, 30, 3), np.uint8)
RGB = Image.fromarray(PIXELS)


def encode(image, format, **options):
    content = io.BytesIO()
    image.save(content, format, **options)
    return content.getvalue()


def heif(image, **options):
    pillow_heif = pytest.importorskip("pillow_heif", reason="extra photos")
    pillow_heif.register_heif_opener()
    return encode(image, "HEIF", **options)


def decoded(content, name=""):
    return decode_image(graph_content(content, name)).numpy()


def by_pillow(content):
    with Image.open(io.BytesIO(content)) as image:
        return np.asarray(image.convert("RGB"))


@pytest.mark.parametrize(
    ("format", "options"),
    [
        ("TIFF", {}),
        ("TIFF", {"compression": "tiff_lzw"}),
        ("JPEG2000", {"irreversible": False}),
    ],
)
def test_pixels_of_formats_without_loss(format, options):
    np.testing.assert_array_equal(decoded(encode(RGB, format, **options)), PIXELS)


def test_pixels_of_avif_are_those_of_its_decoder():
    content = encode(RGB, "AVIF", quality=80)
    assert photo_kind(content) == "avif"
    np.testing.assert_array_equal(decoded(content), by_pillow(content))


def test_pixels_of_heif_are_those_of_its_decoder():
    content = heif(RGB, quality=80)
    assert photo_kind(content) == "heif"
    np.testing.assert_array_equal(decoded(content), by_pillow(content))


@pytest.mark.parametrize("mode", ["1", "L", "LA", "RGBA", "CMYK", "P"])
def test_modes_of_tiff(mode):
    image = RGB.convert("L").convert(mode) if mode != "P" else RGB.quantize(16)
    if mode == "RGBA":
        image.putalpha(0)
        expected = np.full_like(PIXELS, 255)  # over white
    else:
        expected = np.asarray(image.convert("RGB"))
    np.testing.assert_array_equal(decoded(encode(image, "TIFF")), expected)


@pytest.mark.parametrize("order", ["<", ">"])
def test_of_16_bits_the_upper_byte_counts(order):
    values = np.arange(0, 65536, 100, np.uint16).reshape(8, 82)[:, :80]
    mode = {"<": "I;16", ">": "I;16B"}[order]
    image = Image.frombytes(mode, (80, 8), values.astype(f"{order}u2").tobytes())
    result = decoded(encode(image, "TIFF"))
    np.testing.assert_array_equal(result, np.stack([values >> 8] * 3, -1))


@pytest.mark.parametrize("orientation", range(1, 9))
def test_a_picture_is_upright(orientation):
    exif = Image.Exif()
    exif[0x0112] = orientation
    smooth = Image.linear_gradient("L").resize((30, 20)).rotate(30)
    jpeg = decoded(encode(smooth, "JPEG", exif=exif, quality=100))
    tiff = decoded(encode(smooth, "TIFF", exif=exif))
    assert tiff.shape == jpeg.shape
    assert abs(tiff.astype(int) - jpeg).mean() < 3


def test_what_graphs_decode_is_left_alone():
    for format in ("JPEG", "PNG", "GIF", "BMP", "WEBP"):
        content = encode(RGB, format)
        assert graph_content(content, "a.heic") is content
    for content in (b"", b"RIFF", b"notes"):
        assert graph_content(content, "a.nef") is content


@pytest.mark.parametrize(
    ("content", "name", "kind"),
    [
        (b"II*\0\x10\0\0\0CR\2\0", "", "raw"),
        (b"II*\0\x08\0\0\0", "A.NEF", "raw"),
        (b"MM\0*\0\0\0\x08", "a.tif", "tiff"),
        (b"\0\0\0\x18ftypcrx \0\0\0\1", "", "raw"),
        (b"FUJIFILMCCD-RAW 0201", "", "raw"),
        (b"\0\0\0\x18ftypmif1\0\0\0\0mif1avif", "", "avif"),
        (b"\0\0\0\x18ftypmif1\0\0\0\0mif1heic", "", "heif"),
        (b"\0\0\0\x18ftypisom\0\0\0\0", "a.mp4", None),
    ],
)
def test_kinds_are_known_by_their_first_bytes(content, name, kind):
    assert photo_kind(content, name) == kind


@pytest.mark.parametrize(
    ("package", "content", "name"),
    [
        ("pillow_heif", b"\0\0\0\x18ftypheic\0\0\0\0mif1heic", ""),
        ("rawpy", b"II*\0\x08\0\0\0", "a.NEF"),
    ],
)
def test_without_the_extra_the_error_names_the_remedy(
    package, content, name, monkeypatch
):
    monkeypatch.setitem(sys.modules, package, None)
    with pytest.raises(ValueError, match=r"needs .*: pip install .*\[photos\]"):
        convert(content, photo_kind(content, name))


@pytest.mark.parametrize(
    ("content", "name"),
    [
        (encode(RGB, "TIFF")[:600], ""),
        (encode(RGB, "AVIF")[:100], ""),
        (encode(RGB, "JPEG2000")[:60], ""),
        (b"II*\0\x08\0\0\0", "a.NEF"),
    ],
)
def test_damaged_files_are_errors_of_one_image(content, name):
    if name:
        pytest.importorskip("rawpy", reason="extra photos")
    pairs = [(name, content), ("b", encode(RGB, "TIFF"))]
    (_, none, error), (_, views, nothing) = decode_ahead(pairs, [Resize(8)], workers=1)
    assert none is None and "damaged" in error and "0x" not in error
    assert views[0].shape == (8, 8, 3) and nothing is None


@pytest.mark.parametrize("format", ["TIFF", "PNG", "WEBP"])
@pytest.mark.parametrize(("mode", "most"), [("RGB", 600), ("RGBA", 1200)])
def test_too_many_pixels_for_max_pixels(mode, most, format):
    lossless = {"lossless": True} if format == "WEBP" else {}
    image = RGB.convert(mode)
    if mode == "RGBA":
        image.putalpha(128)  # WebP writes none that hides nothing
    content = encode(image, format, **lossless)
    for each in (content, encode(RGB, "JPEG")):  # which has a limit of its own
        pixels = decode_image(graph_content(each, max_pixels=most)).numpy()
        assert pixels.shape == (20, 30, 3)
    (_, none, error), _ = decode_ahead(
        [("a", content), ("b", content)], [Resize(8)], max_pixels=most - 1
    )
    least = (most - 1) // (2 if mode == "RGBA" else 1)
    assert none is None
    assert re.search(f"more than {least} pixels .* it has 600.*--max_pixels", error)


@pytest.mark.parametrize("format", ["PNG", "GIF", "BMP", "WEBP"])
def test_what_graphs_refuse_is_read_if_max_pixels_says_so(format, monkeypatch):
    """It goes the way of a TIFF; the pixels are the same as far as both read it."""
    image = RGB.quantize() if format == "GIF" else RGB
    lossless = {"lossless": True} if format == "WEBP" else {}
    encoded = encode(image, format, **lossless)
    expected = decode_image(encoded).numpy()
    monkeypatch.setattr("annotator.images.photos.content.MAX_PIXELS", 599)
    converted = graph_content(encoded, max_pixels=600)
    assert converted is not encoded
    np.testing.assert_array_equal(decode_image(converted).numpy(), expected)
    with pytest.raises(ValueError, match="more than 599 pixels .* it has 600"):
        graph_content(encoded, max_pixels=599)


@pytest.mark.parametrize("mode", ["1", "L", "LA", "P", "RGB", "RGBA", "I;16"])
def test_what_has_many_pixels_is_made_smaller(mode, monkeypatch):
    monkeypatch.setattr(conversion, "WHOLE_PIXELS", 600)
    smooth = Image.linear_gradient("L").resize((60, 42))
    if mode == "I;16":
        image = Image.fromarray(np.asarray(smooth).astype(np.uint16) * 257)
    else:
        image = smooth.convert(mode)
    result = decode_image(convert(encode(image, "TIFF"), "tiff")).numpy().astype(int)
    assert result.shape == (11, 15, 3)
    expected = np.asarray(image.convert("L") if mode == "1" else smooth)
    means = expected[:40].reshape(10, 4, 15, 4).mean((1, 3))  # the last row has half
    assert abs(result[:10, :, 0] - means).max() < 2


def test_jpeg_2000_is_decoded_at_a_lower_level(monkeypatch):
    monkeypatch.setattr(conversion, "_WHOLE_JPEG_2000", 64 * 64 // 4)
    smooth = Image.linear_gradient("L").resize((64, 64))
    for levels, side in ((4, 32), (1, 64)):
        content = encode(smooth, "JPEG2000", num_resolutions=levels)
        result = decode_image(convert(content, "jpeg 2000")).numpy()
        assert result.shape == (side, side, 3)
        expected = np.asarray(smooth.resize((side, side), Image.Resampling.BOX))
        assert abs(result[..., 0].astype(int) - expected).mean() < 4


CONVERTER = """
import json, os, signal, sys, time
sys.path[:] = json.loads(sys.argv[1])
from annotator.images.photos import converter_process as process
def convert(content, kind, max_pixels):
    exec(content[4:])
    return content
process.convert, process.SECONDS = convert, 0.2
process.main()
"""


def test_a_file_takes_no_more_than_a_picture_may(monkeypatch):
    """Whatever a decoder does: the next file is decoded."""
    command = [sys.executable, "-c", CONVERTER, json.dumps(sys.path)]
    monkeypatch.setattr(converters, "python_command", lambda _: command)
    monkeypatch.setattr(converters, "_CONVERTERS", converters._Converters())

    def code(text):
        return b"II*\0" + text.encode()

    fates = {
        "while True: pass": (ValueError, "more than 1.75 s .* this TIFF file"),
        f"bytes({converter_process.MEGABYTES << 20})": (ValueError, "more than 512 MB"),
        "os.kill(os.getpid(), signal.SIGSEGV)": (ValueError, "A damaged TIFF.*-11"),
        # By the system, which is no fault of the file: the run goes on another time.
        "os.kill(os.getpid(), signal.SIGKILL)": (OSError, "was ended: 9"),
    }
    try:
        for text, (kind, message) in fates.items():
            with pytest.raises(kind, match=message):
                graph_content(code(text))
            assert graph_content(code("print(1)")) == code("print(1)")
        with pytest.raises(ValueError, match="(?i)more than 7 bytes of TIFF .* are 8"):
            monkeypatch.setattr(converters, "_MOST_BYTES", 7)
            graph_content(code("pass"))
    finally:
        converters._CONVERTERS.close()


class Preview:
    """Stands for `rawpy`: a raw file whose preview is known."""

    class ThumbFormat:
        JPEG, BITMAP = "jpeg", "bitmap"

    def __init__(self, data, format, flip):
        self.data, self.format, self.sizes = data, format, self
        self.flip = flip

    def imread(self, file):
        assert file.read(4) == b"II*\0"
        return contextlib.nullcontext(self)

    def extract_thumb(self):
        return self


@pytest.mark.parametrize("form", ["bitmap", "jpeg", "jpeg with exif"])
@pytest.mark.parametrize(("flip", "turns"), [(0, 0), (3, 2), (5, 1), (6, 3)])
def test_a_preview_is_upright(form, flip, turns, monkeypatch):
    """LibRaw's 5 is a quarter against the clock, 6 one with it."""
    smooth = Image.linear_gradient("L").resize((30, 20)).rotate(30).convert("RGB")
    data = np.asarray(smooth)
    expected = np.rot90(data, turns)
    if form != "bitmap":
        exif = Image.Exif()
        if form == "jpeg with exif":  # which then counts
            exif[0x0112] = 3
            expected = np.rot90(data, 2)
        data = encode(smooth, "JPEG", exif=exif, quality=100)
    preview = Preview(data, form.split()[0], flip)
    monkeypatch.setitem(sys.modules, "rawpy", preview)
    result = decode_image(convert(b"II*\0\x08\0\0\0", "raw")).numpy().astype(int)
    assert result.shape == expected.shape
    assert abs(result - expected).mean() < 3
