"""Sidecars: what they say, and which files are spared."""

import json
import pathlib

import pytest
from PIL import Image

from annotator.annotation.record_file import RecordFile
from annotator.annotation.run import annotate
from annotator.annotation.sidecars import write_sidecar


def read(path):
    return [json.loads(line) for line in path.read_text().splitlines()]


@pytest.mark.parametrize("kind", ["txt", "json"])
def test_sidecars_stand_beside_their_images(kind, brightness, gray_images, tmp_path):
    twin = gray_images / "00.bmp"  # its sidecar must not be that of 00.png
    Image.new("L", (3, 3), 255).save(twin)
    (gray_images / "bad.png").touch()
    annotate(["m"], gray_images, tmp_path / "o.jsonl", sidecars=kind)
    records = read(tmp_path / "o.jsonl")
    assert len(records) == 27
    for record in records:
        sidecar = pathlib.Path(f"{record['image']}.{kind}")
        assert sidecar.exists() == ("error" not in record)
        if sidecar.exists() and kind == "json":
            assert json.loads(sidecar.read_text()) == record
        elif sidecar.exists():
            assert sidecar.read_text() == f"{record['tags'][0]}\n"


def test_sidecar_text_has_a_line_for_each_caption(tmp_path):
    captions = [{"caption": "a dog", "score": -1.0}, {"caption": "dogs", "score": -2.0}]
    record = {"image": str(tmp_path / "i.jpg"), "caption": "a dog"}
    write_sidecar(record, "txt")
    assert (tmp_path / "i.jpg.txt").read_text() == "a dog\n"
    (tmp_path / "i.jpg.txt").unlink()
    record.update(captions=captions, tags=["dog", "grass"])
    write_sidecar(record, "txt")
    assert (tmp_path / "i.jpg.txt").read_text() == "a dog\ndogs\ndog, grass\n"


@pytest.mark.parametrize(
    ("kind", "foreign"),
    [
        ("txt", "my own notes"),
        ("txt", "a dog, corrected\n"),
        ("json", '{"photoTakenTime": 1}'),
        ("json", '{"image": "IMAGE", "caption": "a dog, corrected"}'),
        ("json", '{"image": "IMAGE", "caption": "a dog", "tags": ["added"]}'),
        ("json", "[" * 100_000),
    ],
)
def test_a_file_of_a_sidecars_name_is_not_touched(kind, foreign, tmp_path):
    path = tmp_path / f"i.jpg.{kind}"
    record = {"image": str(tmp_path / "i.jpg"), "caption": "a dog"}
    foreign = foreign.replace("IMAGE", record["image"])
    path.write_text(foreign)
    write_sidecar(record, kind)
    assert path.read_text() == foreign
    assert f"{path} exists and was not written for this" in record["error"]


@pytest.mark.parametrize("kind", ["txt", "json"])
def test_a_sidecar_of_a_run_that_was_cut_off_is_written_again(kind, tmp_path):
    for score in (-1.0, -1.00001):  # other neighbors in a batch, another last digit
        record = {"image": str(tmp_path / "i.jpg"), "caption": "a dog"}
        record["caption_score"] = score
        write_sidecar(record, kind)
        assert "error" not in record
    if kind == "json":
        assert json.loads((tmp_path / "i.jpg.json").read_text()) == record


@pytest.mark.parametrize("kind", ["txt", "json"])
def test_a_run_with_sidecars_goes_on_and_spares_other_files(
    kind, brightness, gray_images, tmp_path, monkeypatch
):
    def run():
        output = tmp_path / "o.jsonl"
        return annotate(["m"], gray_images, output, sidecars=kind)

    foreign = gray_images / f"20.png.{kind}"
    foreign.write_text('{"my": "notes"}')
    append = RecordFile.append

    def killed(self, record):
        if self.records == 7:
            raise KeyboardInterrupt
        append(self, record)

    with monkeypatch.context() as patch:
        patch.setattr(RecordFile, "append", killed)
        with pytest.raises(KeyboardInterrupt):
            run()
    # The record that was under way has none, and its sidecar is there.
    assert len(read(tmp_path / "o.jsonl.partial")) == 7
    assert (gray_images / f"07.png.{kind}").exists()
    assert run() == (25, 1)
    (failed,) = (r for r in read(tmp_path / "o.jsonl") if "error" in r)
    assert failed["image"] == str(gray_images / "20.png")
    assert failed["tags"] == ["light"]
    assert foreign.read_text() == '{"my": "notes"}'


def test_no_other_file_is_written_through_a_link(brightness, gray_images, tmp_path):
    """Of whatever name; in the folder others may make links."""
    foreign = tmp_path / "foreign"
    foreign.write_text("mine")
    (gray_images / ".annotator.04.png.txt").symlink_to(foreign)
    (gray_images / ".annotator.05.png.txt").write_text("my own, too")
    (gray_images / "06.png.txt").symlink_to(tmp_path / "new")
    assert annotate(["m"], gray_images, tmp_path / "o.jsonl", sidecars="txt") == (25, 1)
    assert foreign.read_text() == "mine" and not (tmp_path / "new").exists()
    assert (gray_images / ".annotator.05.png.txt").read_text() == "my own, too"
    assert (gray_images / "04.png.txt").is_file()


def test_what_a_kill_left_beside_an_image_goes(brightness, gray_images, tmp_path):
    litter = gray_images / ".annotator-0123456789abcdef.04.png.txt"
    litter.write_text("half of a")
    before = set(gray_images.iterdir())
    annotate(["m"], gray_images, tmp_path / "o.jsonl", sidecars="txt")
    assert not litter.exists()
    new = {path.name for path in set(gray_images.iterdir()) - before}
    assert new == {f"{i:02}.png.txt" for i in range(25)}
