"""What a folder, a list and a pattern name."""

import os

import pytest
from PIL import Image

from annotator.annotation.listing import list_images, passed_over, tell_passed_over
from annotator.images.photos import kinds


def test_folders_lists_and_patterns(tmp_path):
    names = ["b.JPG", "a.png", "sub/c.webp", "sub/deep/d.gif", "sub/e.jfif"]
    names += ["sub/h.HEIC", "sub/i.tif", "sub/deep/j.NEF"]
    others = [".hidden.png", "notes.txt", ".git/f.png", "sub/g.txt"]
    for name in names + others:
        (tmp_path / name).parent.mkdir(parents=True, exist_ok=True)
        (tmp_path / name).touch()
    paths = [str(tmp_path / name) for name in names]
    found = list(list_images(tmp_path))
    assert sorted(found) == sorted(paths) and found == list(list_images(tmp_path))
    assert list(list_images(tmp_path / "a.png")) == [str(tmp_path / "a.png")]
    assert list(list_images(f"{tmp_path}/*.png")) == [str(tmp_path / "a.png")]
    deep = list(list_images(f"{tmp_path}/**/*.[gw]*"))
    assert deep == [str(tmp_path / "sub/c.webp"), str(tmp_path / "sub/deep/d.gif")]
    assert list(list_images(f"{tmp_path}/s*/*")) == sorted(
        str(tmp_path / "sub" / name)
        for name in ("c.webp", "e.jfif", "g.txt", "h.HEIC", "i.tif")
    )
    listing = tmp_path / "list.txt"
    for content in (
        b"\xef\xbb\xbfone.jpg\r\n\r\ntwo words.png\r\n\xc3\xa9 \xff.jpg",
        b"one.jpg\n\ntwo words.png\n\n\xc3\xa9 \xff.jpg\n",
        b"one.jpg\0two words.png\0\xc3\xa9 \xff.jpg\0",
    ):
        listing.write_bytes(content)
        found = [os.fsencode(name) for name in list_images(listing)]
        assert found == [b"one.jpg", b"two words.png", b"\xc3\xa9 \xff.jpg"]
    many = [f"{'x' * 40}{number}.jpg" for number in range(5000)]
    listing.write_text("\n".join(many))  # longer than one block
    assert list(list_images(listing)) == many
    for nothing in (tmp_path / "no", tmp_path / "*.bmp"):
        with pytest.raises(FileNotFoundError, match="is no file or folder"):
            list_images(nothing)


def test_what_is_passed_over_is_counted(tmp_path):
    for name in ("a.MP4", "sub/b.mp4", "c.psd", "d", "e.jpg", "e.jpg.xmp", ".f.mov"):
        (tmp_path / name).parent.mkdir(exist_ok=True)
        (tmp_path / name).touch()
    assert passed_over(tmp_path) == {".mp4": 2, ".psd": 1, "": 1}
    assert passed_over(tmp_path / "e.jpg") == {}


@pytest.mark.parametrize("is_installed", [False, True])
def test_what_needs_an_extra_is_counted_by_kind(
    is_installed, tmp_path, monkeypatch, capsys
):
    for name in ("a.HEIC", "b/c.heic", "d.nef", "e.jpg", "f.mp4", "g.avif"):
        (tmp_path / name).parent.mkdir(exist_ok=True)
        (tmp_path / name).touch()
    monkeypatch.setattr(kinds.importlib.util, "find_spec", lambda _: is_installed)
    tell_passed_over(tmp_path)
    said = ["passed over, by their extensions: 1 .mp4"]
    if not is_installed:
        said.append('not read: 2 .heic, 1 .nef; pip install ".[photos]" reads them')
    assert capsys.readouterr().err.splitlines() == said


@pytest.mark.parametrize("format", ["JPEG", "PNG", "GIF", "BMP", "WebP", "TIFF"])
def test_an_image_of_another_extension_is_no_list(format, tmp_path):
    path = tmp_path / "photo.data"
    Image.new("RGB", (4, 3)).save(path, format)
    assert list(list_images(path)) == [str(path)]


@pytest.mark.parametrize("begin", [b"PK\3\4", b"\0\0\0\x1cftypheic", b"a.jpg\x80\x01"])
def test_a_file_that_is_neither_image_nor_text_is_named(begin, tmp_path):
    (tmp_path / "photo.psd").write_bytes(begin)
    (tmp_path / "list.txt").write_text("photo.jpg\n", encoding="utf-16")
    with pytest.raises(ValueError, match="list.txt is in UTF-16: save the list as UTF"):
        list_images(tmp_path / "list.txt")
    with pytest.raises(ValueError, match="photo.psd is neither an image .* the byte"):
        list_images(tmp_path / "photo.psd")


@pytest.mark.parametrize("name", ["BMW/1.jpg", "GIF8s/1.gif", "II*.jpg"])
def test_a_list_may_begin_like_an_image(name, tmp_path):
    (tmp_path / "list").write_text(f"{name}\nb.jpg\n")
    assert list(list_images(tmp_path / "list")) == [name, "b.jpg"]


def test_a_folder_is_sorted_by_name(tmp_path):
    for name in ("b", "a.jpg", "b.jpg", "b/1.png", "B.png", "a-b.jpg"):
        if "." in name:
            (tmp_path / name).parent.mkdir(exist_ok=True)
            (tmp_path / name).touch()
    expected = ["B.png", "a-b.jpg", "a.jpg", "b/1.png", "b.jpg"]
    assert list(list_images(tmp_path)) == [str(tmp_path / name) for name in expected]
