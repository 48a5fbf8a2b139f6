"""Files that are no images, may not be read or have names of any kind."""

import json
import os
import shutil

import pytest

from annotator.annotation import run as annotation
from annotator.export.versions import find_exports
from annotator.images.decode import MAX_BYTES


def test_files_and_names(mean_color, small_png, tmp_path):
    """Whatever a list names gets one record each, in its order."""
    good = small_png
    names = [
        "one/same.png",
        "two/same.png",
        "with space.png",
        'quote\'s "double".png',
        "semi;colon, comma.png",
        "back\\slash.png",
        "line\nbreak\r\nand\ttab.png",
        "Zürich 東京 🏔.png",
        os.fsdecode(b"latin-1 \xe9.png"),
        "-dash.png",
        "n" * 240 + ".png",
    ]
    for name in names:
        path = tmp_path / name
        path.parent.mkdir(exist_ok=True)
        path.write_bytes(good)
    (tmp_path / "folder.png").mkdir()
    os.mkfifo(tmp_path / "pipe.png")
    os.symlink(tmp_path / "nowhere", tmp_path / "dangling.png")
    os.symlink(tmp_path / "loop.png", tmp_path / "loop.png")
    os.symlink("/proc/self/mem", tmp_path / "unreadable.png")
    bad = {
        "folder.png": "A folder, not an image file.",
        "pipe.png": "Not a regular file.",
        "dangling.png": "No such file or directory",
        "loop.png": "Too many levels of symbolic links",
        "unreadable.png": "Input/output error",
        "missing.png": "No such file or directory",
        "x" * 300: "File name too long",
    }
    wanted = [str(tmp_path / name) for name in [*names, *bad, names[0]]]
    listing = tmp_path / "list"
    listing.write_bytes(b"\0".join(map(os.fsencode, wanted)))
    output = tmp_path / "o.jsonl"
    counts = annotation.annotate(["m"], listing, output, batch_size=3)
    assert counts == (len(names) + len(bad) + 1, len(bad))
    records = [json.loads(line) for line in output.read_bytes().split(b"\n")[:-1]]
    assert [record["image"] for record in records] == wanted
    for record in records:
        name = os.path.relpath(record["image"], tmp_path)
        assert record.get("error") == bad.get(name)
    # In the folder itself, links to nowhere and pipes are found as well.
    counts = annotation.annotate(["m"], tmp_path, tmp_path / "all.jsonl")
    assert counts == (len(names) + 4, 4)


def test_a_file_without_permission(mean_color, small_png, tmp_path):
    path = tmp_path / "secret.png"
    path.write_bytes(small_png)
    path.chmod(0)
    closed = tmp_path / "closed"
    closed.mkdir()
    closed.chmod(0)
    if os.access(path, os.R_OK):
        pytest.skip("this user may read everything")
    try:
        assert annotation.annotate(["m"], tmp_path, tmp_path / "o.jsonl") == (2, 2)
        text = (tmp_path / "o.jsonl").read_text()
        assert text.count("Permission denied") == 2 and str(closed) in text
    finally:
        closed.chmod(0o700)


def test_a_file_that_is_too_large_is_not_read(mean_color, tmp_path):
    path = tmp_path / "large.png"
    with open(path, "wb") as file:
        file.truncate(MAX_BYTES + 1)  # takes no room on the disk
    assert annotation.annotate(["m"], path, tmp_path / "o.jsonl") == (1, 1)
    record = json.loads((tmp_path / "o.jsonl").read_text())
    assert record["error"].startswith(f"A file of more than {MAX_BYTES} bytes")


def test_a_sidecar_that_cannot_be_written_stops_nobody(mean_color, small_png, tmp_path):
    name = "n" * 250 + ".png"
    for each in ("a.png", name):
        (tmp_path / each).write_bytes(small_png)
    output = tmp_path / "o.jsonl"
    assert annotation.annotate(["m"], tmp_path, output, sidecars="txt") == (2, 1)
    good, bad = map(json.loads, output.read_text().splitlines())
    assert bad["tags"] == good["tags"] and "File name too long" in bad["error"]


@pytest.mark.parametrize("harm", ["missing", "altered", "cut off", "no manifest"])
def test_a_damaged_model_directory(harm, tagger_run, image_folder, tmp_path):
    copy = tmp_path / "tagger"
    shutil.copytree(tagger_run[2][0], copy / "1")
    harmed = copy / "1" / "tagger.keras"
    content = bytearray(harmed.read_bytes())
    content[len(content) // 2] ^= 1
    if harm == "missing":
        harmed.unlink()
    elif harm == "altered":
        harmed.write_bytes(content)
    elif harm == "cut off":
        harmed.write_bytes(content[:-100])
    else:
        harmed = copy
        (copy / "1" / "assets.extra" / "annotator.json").unlink()
    with pytest.raises((ValueError, FileNotFoundError), match=f"{harmed} is "):
        find_exports([copy])
    output = tmp_path / "o.jsonl"
    with pytest.raises((ValueError, FileNotFoundError)):
        annotation.annotate([copy], image_folder, output)
    assert not list(tmp_path.glob("o.jsonl*"))
