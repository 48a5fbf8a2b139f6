"""XMP sidecars of `annotate`: merged, replaced by a better model, taken back."""

import dataclasses
import json

import pytest

from annotator.annotation.record_file import run_of
from annotator.annotation.run import annotate
from annotator.annotation.sidecars import SidecarOptions, write_sidecar
from annotator.metadata import Change, edit, read_embedded, read_sidecar
from annotator.metadata.journal import Journal
from annotator.metadata.undo import undo

RECORD = {"image": "", "tags": ["dog", "sea"], "tag_scores": [0.9, 0.5]}


@pytest.fixture
def record(tmp_path):
    return {**RECORD, "image": str(tmp_path / "photo.jpg")}


@pytest.fixture
def options(tmp_path):
    with Journal(tmp_path / "state") as journal:
        models = {"tagger": ("library", "sha256:3fa"), "captioner": ("shapes", "1")}
        yield SidecarOptions(run="r1", models=models, journal=journal)


def state(folder):
    return {p.name: p.read_bytes() for p in folder.iterdir() if p.is_file()}


def test_a_record_is_written_and_marked(record, options, tmp_path):
    record.update(caption="a dog", caption_score=-1.5)
    options = dataclasses.replace(options, language="de")
    write_sidecar(record, "xmp", options)
    assert "error" not in record
    keywords = read_sidecar(tmp_path / "photo.jpg.xmp")
    dog, sea = keywords.machine
    assert (dog.text, dog.score, dog.model) == ("dog", 0.9, "library")
    assert (dog.version, dog.run, dog.time[-6:]) == ("sha256:3fa", "r1", "+00:00")
    assert (sea.text, sea.score) == ("sea", 0.5)
    assert keywords.description == "a dog"
    assert (keywords.caption.language, keywords.caption.score) == ("de", -1.5)
    assert keywords.caption.model == "shapes"


@pytest.mark.parametrize("kind", ["txt", "json", "xmp"])
def test_a_second_run_replaces_what_the_first_wrote(kind, record, options, tmp_path):
    write_sidecar(record, kind, options)
    record["tags"] = ["cat", "sea"]
    write_sidecar(record, kind, dataclasses.replace(options, run="r2"))
    assert "error" not in record
    text = (tmp_path / f"photo.jpg.{kind}").read_text()
    assert "cat" in text and "dog" not in text


@pytest.mark.parametrize("kind", ["txt", "json", "xmp"])
@pytest.mark.parametrize("policy", ["skip", "replace_own"])
def test_files_of_others_are_left_without_an_error(
    kind, policy, record, options, tmp_path, digikam
):
    options = dataclasses.replace(options, policy=policy)
    (tmp_path / f"photo.jpg.{kind}").write_bytes(digikam)
    write_sidecar(record, kind, options)
    assert "error" not in record
    assert (tmp_path / f"photo.jpg.{kind}").read_bytes() == digikam
    own = {**record, "image": str(tmp_path / "other.jpg")}
    write_sidecar(own, kind, options)
    before = (tmp_path / f"other.jpg.{kind}").read_bytes()
    own["tags"] = ["cat", "sea"]
    write_sidecar(own, kind, dataclasses.replace(options, run="r2"))
    after = (tmp_path / f"other.jpg.{kind}").read_bytes()
    assert (after == before) == (policy == "skip")
    assert "error" not in own


def test_xmp_of_others_is_merged(record, options, tmp_path, digikam):
    path = tmp_path / "photo.jpg.xmp"
    path.write_bytes(digikam)
    write_sidecar(record, "xmp", options)
    keywords = read_sidecar(path)
    assert keywords.human == ("Animals|Dog", "Places|France|Pic du Midi", "beach")
    assert [mark.text for mark in keywords.machine] == ["sea"]


@pytest.mark.parametrize(
    ("content", "message"),
    [(b"my notes", "cannot be merged: "), (None, "symbolic link")],
)
def test_what_cannot_be_merged_is_the_records_error(
    content, message, record, options, tmp_path
):
    path = tmp_path / "photo.jpg.xmp"
    if content is None:
        path.symlink_to(tmp_path / "elsewhere")
    else:
        path.write_bytes(content)
    write_sidecar(record, "xmp", options)
    assert message in record["error"] and str(path) in record["error"]
    assert not (tmp_path / "elsewhere").exists()
    assert record["tags"] == ["dog", "sea"]


def test_two_images_of_one_sidecar(record, options, tmp_path):
    options = dataclasses.replace(options, name="photo")
    write_sidecar(record, "xmp", options)
    write_sidecar(record, "xmp", options)  # as a run that was cut off
    assert "error" not in record
    other = {**record, "image": str(tmp_path / "photo.png"), "tags": ["cat", "x"]}
    write_sidecar(other, "xmp", options)
    assert "photo.xmp is the sidecar of " in other["error"]
    assert [m.text for m in read_sidecar(tmp_path / "photo.xmp").machine][0] == "dog"


@pytest.mark.parametrize("kind", ["txt", "json", "xmp"])
def test_a_run_is_taken_back(kind, brightness, gray_images, tmp_path, digikam):
    (gray_images / f"20.png.{kind}").write_bytes(digikam)
    before = state(gray_images)
    output = tmp_path / "o.jsonl"
    merged = kind == "xmp"
    assert annotate(["m"], gray_images, output, sidecars=kind) == (25, 1 - merged)
    settings = json.loads((tmp_path / "o.jsonl.settings.json").read_text())
    run = run_of(output)
    assert settings["run"] == run
    assert len(state(gray_images)) == 50 - 0
    # The finished output is that run's, and nothing is written again.
    assert annotate(["m"], gray_images, output, sidecars=kind) == (25, 1 - merged)
    assert run_of(output) == run
    with Journal() as journal:
        assert undo(journal, run).restored == 24 + merged
    assert state(gray_images) == before


def test_a_run_that_was_cut_off_keeps_its_identity(
    brightness, gray_images, tmp_path, monkeypatch
):
    from annotator.annotation.record_file import RecordFile

    append = RecordFile.append

    def killed(self, record):
        if self.records == 7:
            raise KeyboardInterrupt
        append(self, record)

    output = tmp_path / "o.jsonl"
    with monkeypatch.context() as patch:
        patch.setattr(RecordFile, "append", killed)
        with pytest.raises(KeyboardInterrupt):
            annotate(["m"], gray_images, output, sidecars="xmp")
    run = run_of(output)
    assert annotate(["m"], gray_images, output, sidecars="xmp") == (25, 0)
    assert run_of(output) == run
    runs = {m.run for p in gray_images.glob("*.xmp") for m in read_sidecar(p).machine}
    assert runs == {run}


def test_a_better_models_run_is_taken_back_to_the_first(
    brightness, gray_images, tmp_path
):
    annotate(["m"], gray_images, tmp_path / "1.jsonl", sidecars="xmp")
    before = state(gray_images)
    corrected = gray_images / "03.png.xmp"
    corrected.write_bytes(edit(corrected.read_bytes(), Change(human=["moon"])))
    assert annotate(
        ["m"], gray_images, tmp_path / "2.jsonl", sidecars="xmp", top_k=1
    ) == (25, 0)
    second = run_of(tmp_path / "2.jsonl")
    assert read_sidecar(gray_images / "00.png.xmp").machine[0].run == second
    assert read_sidecar(corrected).human == ("moon",)
    with Journal() as journal:
        undo(journal, second)
    assert read_sidecar(corrected).human == ("moon",)
    after = state(gray_images)
    assert {k: v for k, v in after.items() if k != corrected.name} == {
        k: v for k, v in before.items() if k != corrected.name
    }


def test_a_run_writes_into_image_files_and_is_taken_back(
    brightness, gray_images, tmp_path
):
    pytest.importorskip("pyexiv2", reason="pyexiv2 is not installed")
    (gray_images / "25.bmp").write_bytes((gray_images / "01.png").read_bytes())
    before = state(gray_images)
    output = tmp_path / "o.jsonl"
    assert annotate([], gray_images, output, embed=True) == (26, 1)
    assert state(gray_images).keys() == before.keys()
    for name, word in (("00.png", "dark"), ("24.png", "light")):
        (mark,) = read_embedded(gray_images / name).machine
        assert (mark.text, mark.run) == (word, run_of(output))
    records = [json.loads(line) for line in output.read_text().splitlines()]
    (failed,) = [each for each in records if "error" in each]
    assert failed["image"].endswith("25.bmp") and "only .jpg" in failed["error"]
    with Journal() as journal:
        assert undo(journal, run_of(output)).restored == 25
    assert state(gray_images) == before
