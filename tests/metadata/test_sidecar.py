"""Sidecar files: names, links, and that other programs read them and we read theirs."""

import json
import os
import shutil
import subprocess

import pytest
from PIL import Image

from annotator.metadata import (
    Change,
    Keywords,
    Mark,
    read_image,
    read_sidecar,
    sidecar_path,
    write_sidecar,
)

MARKS = [Mark("animal|dog", 0.93, "tagger", "3fa", "r1"), Mark("Grün <&>", 0.5)]
CHANGE = Change(machine=MARKS, caption=Mark("a dog", run="r1", language="en"))


def exiftool(*arguments):
    if shutil.which("exiftool") is None:
        pytest.skip("ExifTool is not installed (libimage-exiftool-perl)")
    return subprocess.run(
        ["exiftool", "-charset", "filename=utf8", *map(str, arguments)],
        check=True,
        capture_output=True,
        text=True,
        timeout=60,
    ).stdout


@pytest.fixture
def photo(tmp_path):
    path = tmp_path / "photo.jpg"
    Image.new("RGB", (8, 8)).save(path)
    return path


def test_names_of_sidecars(tmp_path):
    image = tmp_path / "a.b.jpg"
    assert sidecar_path(image) == f"{image}.xmp"
    assert sidecar_path(image, "photo") == str(tmp_path / "a.b.xmp")
    assert sidecar_path(image, "photo", "txt") == str(tmp_path / "a.b.txt")
    (tmp_path / "a.b.XMP").touch()
    assert sidecar_path(image, "photo") == str(tmp_path / "a.b.XMP")


def test_a_file_is_written_only_if_it_changes(tmp_path):
    path = tmp_path / "photo.jpg.xmp"
    assert read_sidecar(path) == Keywords()
    assert write_sidecar(path, CHANGE)
    path.chmod(0o640)
    assert not write_sidecar(path, CHANGE)
    assert write_sidecar(path, Change(human=["sea"]))
    assert path.stat().st_mode & 0o777 == 0o640
    assert read_sidecar(path).human == ("sea",)
    assert list(tmp_path.iterdir()) == [path]


def test_nothing_is_written_through_a_link(tmp_path):
    other = tmp_path / "other"
    write_sidecar(other, CHANGE)
    before = other.read_bytes()
    link = tmp_path / "photo.jpg.xmp"
    for target in (other, tmp_path / "nowhere"):
        link.symlink_to(target)
        with pytest.raises(OSError, match="symbolic link"):
            write_sidecar(link, Change(human=["x"]))
        link.unlink()
    assert other.read_bytes() == before
    assert not (tmp_path / "nowhere").exists()


def test_what_is_no_file_is_not_read(tmp_path):
    os.mkfifo(tmp_path / "a.xmp")
    with pytest.raises(OSError, match="not a regular file"):
        read_sidecar(tmp_path / "a.xmp")


def test_an_error_names_the_file(tmp_path):
    (tmp_path / "a.xmp").write_text("my notes")
    for call in (read_sidecar, lambda path: write_sidecar(path, CHANGE)):
        with pytest.raises(ValueError, match=r"a\.xmp: XMP that is no XML"):
            call(tmp_path / "a.xmp")
    assert (tmp_path / "a.xmp").read_text() == "my notes"


def test_exiftool_reads_what_is_written(tmp_path):
    path = tmp_path / "photo.jpg.xmp"
    write_sidecar(path, CHANGE)
    (found,) = json.loads(exiftool("-j", "-struct", "-G1", path))
    assert found["XMP-dc:Subject"] == ["dog", "Grün <&>"]
    assert found["XMP-lr:HierarchicalSubject"] == ["animal|dog", "Grün <&>"]
    assert found["XMP-digiKam:TagsList"] == ["animal/dog", "Grün <&>"]
    assert found["XMP-dc:Description"] == found["XMP-dc:Description-en"] == "a dog"
    assert found["XMP-annotator:Keywords"][0]["Score"] == 0.93
    assert "Warning" not in exiftool("-validate", "-warning", path)


def test_marks_outlive_exiftools_edits(tmp_path):
    path = tmp_path / "photo.jpg.xmp"
    write_sidecar(path, CHANGE)
    exiftool(
        "-XMP-dc:Subject+=sea", "-XMP-dc:Subject-=dog", "-overwrite_original", path
    )
    keywords = read_sidecar(path)
    assert keywords.human == ("sea",)
    assert [mark.text for mark in keywords.machine] == ["Grün <&>"]
    assert [mark.text for mark in keywords.rejected] == ["animal|dog"]
    assert keywords.caption == CHANGE.caption
    write_sidecar(path, Change(without_run="r1"))
    assert read_sidecar(path) == Keywords(("sea",), (MARKS[1],))


def test_marks_outlive_exiv2s_edits(tmp_path):
    pyexiv2 = pytest.importorskip("pyexiv2", reason="pyexiv2 is not installed")
    path = tmp_path / "photo.xmp"
    write_sidecar(path, CHANGE)
    with pyexiv2.Image(str(path)) as image:
        assert image.read_xmp()["Xmp.dc.subject"] == ["dog", "Grün <&>"]
        image.modify_xmp({"Xmp.dc.subject": ["dog", "Grün <&>", "sea"]})
    keywords = read_sidecar(path)
    assert keywords.human == ("sea",)
    assert keywords.machine == tuple(MARKS)
    assert keywords.caption == CHANGE.caption


@pytest.mark.parametrize("kind", ["XMP", "IPTC"])
def test_what_exiftool_writes_into_images_is_read(kind, photo):
    name = {"XMP": "XMP-dc:Subject", "IPTC": "IPTC:Keywords"}[kind]
    words = [f"-{name}={word}" for word in ("dog", "Grün", "sea")]
    charset = ["-IPTC:CodedCharacterSet=UTF8"] if kind == "IPTC" else []
    exiftool(*words, *charset, "-overwrite_original", photo)
    assert read_image(photo).human == ("dog", "Grün", "sea")


@pytest.mark.parametrize("ending", ["jpg", "png", "webp", "tif"])
def test_xmp_in_images_of_several_formats_is_read(ending, photo, tmp_path, digikam):
    path = tmp_path / f"other.{ending}"
    with Image.open(photo) as image:
        if ending == "png":
            path = tmp_path / "other.png"
            from PIL import PngImagePlugin

            info = PngImagePlugin.PngInfo()
            info.add_itxt("XML:com.adobe.xmp", digikam.decode())
            image.save(path, pnginfo=info)
        elif ending == "tif":
            image.save(path, tiffinfo={700: digikam})
        else:
            image.save(path, xmp=digikam)
    assert "Animals|Dog" in read_image(path).human


def test_xmp_in_heic_is_read_and_raw_files_have_none(tmp_path, digikam):
    pillow_heif = pytest.importorskip("pillow_heif", reason="extra photos")
    pillow_heif.register_heif_opener()
    Image.new("RGB", (64, 64)).save(tmp_path / "a.heic", xmp=digikam)
    (tmp_path / "b.jpg.xmp").write_bytes(digikam)
    assert read_image(tmp_path / "a.heic").human == read_image(tmp_path / "b.jpg").human
    (tmp_path / "a.raf").write_bytes(b"FUJIFILMCCD-RAW 0201" + bytes(100))
    assert read_image(tmp_path / "a.raf") == Keywords()
    (tmp_path / "a.jpg").write_bytes(b"no image")
    with pytest.raises(OSError, match=r"a\.jpg"):
        read_image(tmp_path / "a.jpg")


def test_a_sidecar_stands_before_what_is_in_the_image(photo, digikam):
    with Image.open(photo) as image:
        image.save(photo, xmp=digikam)
    assert "beach" in read_image(photo).human
    write_sidecar(photo.with_suffix(".xmp"), Change(human=["b"]))
    assert read_image(photo).human == ("b",)
    write_sidecar(sidecar_path(photo), Change(human=["a"]))
    assert read_image(photo).human == ("a",)


def test_damaged_xmp_in_an_image_is_named(photo):
    with Image.open(photo) as image:
        image.save(photo, xmp=b"<x:xmpmeta")
    with pytest.raises(ValueError, match=r"photo\.jpg: its XMP: XMP that is no XML"):
        read_image(photo)
