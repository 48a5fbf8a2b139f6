"""Keywords inside image files: pictures stay, people's words stay, undo is exact."""

import os
import shutil
import subprocess

import numpy as np
import pytest
from PIL import Image, PngImagePlugin

from annotator.metadata import Change, Mark, embedding, read_embedded
from annotator.metadata.embedding import Exiv2, embed, pixel_digest
from annotator.metadata.journal import Journal
from annotator.metadata.patch import apply_patch, leads_to, make_patch
from annotator.metadata.undo import Undone, undo

CHANGE = Change(
    machine=[Mark("vehicle|ship", 0.9, run="r1")], caption=Mark("a dog", run="r1")
)
ENDINGS = ("jpg", "png", "tif", "webp")


@pytest.fixture(scope="module")
def exiv2():
    pytest.importorskip("pyexiv2", reason="pyexiv2 is not installed")
    with Exiv2() as exiv2:
        yield exiv2


@pytest.fixture
def journal(tmp_path, monkeypatch):
    monkeypatch.setenv("ANNOTATOR_STATE", str(tmp_path / "state"))
    with Journal() as journal:
        yield journal


def draw(path, packet=None):
    pixels = np.random.default_rng(0).integers(0, 256, (40, 60, 3), np.uint8)
    options = {}
    if packet and path.suffix == ".png":
        options["pnginfo"] = PngImagePlugin.PngInfo()
        options["pnginfo"].add_itxt("XML:com.adobe.xmp", packet.decode())
    elif packet:
        options["xmp"] = packet
    Image.fromarray(pixels).save(path, **options)
    return path


@pytest.mark.parametrize("ending", ENDINGS)
def test_words_are_written_and_taken_back_to_the_byte(
    ending, exiv2, journal, tmp_path, digikam
):
    path = draw(tmp_path / f"a.{ending}", None if ending == "tif" else digikam)
    path.chmod(0o640)
    people = read_embedded(path)
    assert ending == "tif" or people.human
    before, noted = path.read_bytes(), []
    journal.begin("r1", "o.jsonl")

    def note(old, new):
        noted.append((old, new))
        journal.note("r1", str(path), str(path), make_patch(old, new), new)

    assert embed(path, CHANGE, exiv2, note)
    assert noted == [(before, path.read_bytes())] and noted[0][1] != before
    found = read_embedded(path)
    assert found.human == people.human
    assert [mark.text for mark in found.machine] == ["vehicle|ship"]
    assert found.description == (people.description or "a dog")
    assert pixel_digest(path.read_bytes()) == pixel_digest(before)
    assert path.stat().st_mode & 0o777 == 0o640
    assert not embed(path, CHANGE, exiv2)  # it says so already
    assert undo(journal, "r1") == Undone(restored=1)
    assert path.read_bytes() == before
    assert undo(journal, "r1") == Undone(restored=1)
    assert [each.name for each in tmp_path.iterdir() if each.is_file()] == [path.name]


def test_what_was_edited_since_stays_when_a_run_is_taken_back(exiv2, journal, tmp_path):
    path = draw(tmp_path / "a.jpg")
    journal.begin("r1", "o.jsonl")
    embed(
        path,
        CHANGE,
        exiv2,
        lambda old, new: journal.note(
            "r1", str(path), str(path), make_patch(old, new), new
        ),
    )
    embed(path, Change(human=["sea"]), exiv2)
    assert undo(journal, "r1") == Undone(edited=1)
    found = read_embedded(path)
    assert found.human == ("sea",) and not found.machine and found.caption is None


def test_words_that_stand_in_iptc_alone_are_kept_where_programs_look(exiv2, tmp_path):
    if shutil.which("exiftool") is None:
        pytest.skip("ExifTool is not installed (libimage-exiftool-perl)")
    path = draw(tmp_path / "a.jpg")
    words = ["-IPTC:Keywords=sea", "-IPTC:Caption-Abstract=My sea"]
    subprocess.run(["exiftool", "-q", "-overwrite_original", *words, path], check=True)
    embed(path, CHANGE, exiv2)
    found = read_embedded(path)
    assert found.human == ("sea",) and found.description == "My sea"
    assert [mark.text for mark in found.machine] == ["vehicle|ship"]
    told = subprocess.run(
        ["exiftool", "-s3", "-IPTC:Keywords", "-XMP-dc:Subject", path],
        check=True,
        capture_output=True,
        text=True,
    )
    assert told.stdout.split("\n")[:2] == ["sea", "ship, sea"]


def test_nothing_is_written_where_pixels_would_change(exiv2, tmp_path, monkeypatch):
    path = draw(tmp_path / "a.png")
    before = path.read_bytes()

    def spoil(temporary, packet):
        Image.new("RGB", (60, 40)).save(temporary)

    monkeypatch.setattr(exiv2, "write", spoil)
    with pytest.raises(ValueError, match="its pixels would change"):
        embed(path, CHANGE, exiv2)
    assert path.read_bytes() == before and list(tmp_path.iterdir()) == [path]


def test_links_other_formats_and_damaged_files_are_left(exiv2, tmp_path):
    path = draw(tmp_path / "a.jpg")
    link = tmp_path / "link.jpg"
    link.symlink_to(path)
    with pytest.raises(OSError, match="symbolic link"):
        embed(link, CHANGE, exiv2)
    with pytest.raises(ValueError, match=r"only \.jpg, .* are written into"):
        embed(tmp_path / "a.cr2", CHANGE, exiv2)
    path.write_bytes(path.read_bytes()[:200])
    with pytest.raises(ValueError, match="pixels cannot be compared"):
        embed(path, CHANGE, exiv2)


def test_a_crash_of_exiv2_is_one_files_error(tmp_path, exiv2, monkeypatch):
    path = draw(tmp_path / "a.jpg")
    exiv2._running().kill()
    with pytest.raises(OSError, match="Exiv2 ended over it"):
        embed(path, CHANGE, exiv2)
    assert embed(path, CHANGE, exiv2)
    name = tmp_path / os.fsdecode(b"\xff.jpg")  # no UTF-8
    assert embed(draw(name), CHANGE, exiv2)


def test_without_pyexiv2_the_error_says_how_to_get_it(monkeypatch):
    monkeypatch.setattr(embedding.importlib.util, "find_spec", lambda name: None)
    with pytest.raises(ModuleNotFoundError, match=r'pip install "\.\[metadata\]"'):
        Exiv2()


@pytest.mark.parametrize(
    ("before", "after"),
    [
        (b"abcdef", b"abXXcdef"),
        (b"abXXcdef", b"abcdef"),
        (b"aaaa", b"aa"),
        (b"aa", b"aaaa"),
        (b"", b"abc"),
        (b"same", b"same"),
    ],
)
def test_a_patch_leads_back(before, after):
    patch = make_patch(before, after)
    assert apply_patch(patch, after) == before
    assert leads_to(patch, before) and leads_to(patch, after) == (before == after)


def test_a_patch_of_another_content_is_refused():
    patch = make_patch(b"abcdef", b"abXXcdef")
    with pytest.raises(ValueError, match="of another file"):
        apply_patch(patch, b"zbXXcdef")
