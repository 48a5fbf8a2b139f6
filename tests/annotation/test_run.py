"""A run over many images: how it goes on, and what is refused."""

import csv
import json
import os
import shutil

import pytest
import tensorflow as tf
from PIL import Image

from annotator.annotation.model import AnnotationModel
from annotator.annotation.record_file import RecordFile
from annotator.annotation.run import annotate
from annotator.images import read_ahead


def read(path):
    return [json.loads(line) for line in path.read_text().splitlines()]


def test_a_run_that_stops_anywhere_ends_as_one_that_does_not(
    brightness, gray_images, tmp_path, monkeypatch
):
    def run(name):
        return annotate(["m"], gray_images, tmp_path / name, batch_size=4, workers=2)

    assert run("whole.jsonl") == (25, 0)
    expected = read(tmp_path / "whole.jsonl")
    assert [r["tags"] for r in expected] == [["dark"]] * 11 + [["light"]] * 14
    output, partial = tmp_path / "cut.jsonl", tmp_path / "cut.jsonl.partial"
    append, stops, moments = RecordFile.append, 0, [7, 14, 21]

    def stopping(self, record):
        append(self, record)
        if self.records in moments:
            moments.remove(self.records)
            # What a kill leaves in mid-write.
            self._file.write(b'{"image": "half of a na')
            raise KeyboardInterrupt

    monkeypatch.setattr(RecordFile, "append", stopping)
    for _ in range(4):
        assert not output.exists()
        try:
            assert run("cut.jsonl") == (25, 0)
        except KeyboardInterrupt:
            stops += 1
            assert partial.read_text().splitlines()[-1] == '{"image": "half of a na'
    assert stops == 3 and not partial.exists()
    assert read(output) == expected
    # Finished is finished: nothing is done again.
    monkeypatch.setattr(AnnotationModel, "load", None)
    assert run("cut.jsonl") == (25, 0)


def test_an_image_has_the_same_neighbors_when_a_run_goes_on(
    brightness_model, stand_in, gray_images, tmp_path
):
    """The last digits of a score depend on the other images of a batch."""

    class Neighborly(type(brightness_model)):
        def __call__(self, views):
            found = super().__call__(views)
            scores = found["tagger"]["scores"]
            found["tagger"]["scores"] = scores + tf.reduce_mean(scores)
            return found

    stand_in(Neighborly())
    (gray_images / "11.png").write_bytes(b"no image")
    whole, cut = tmp_path / "whole.jsonl", tmp_path / "cut.jsonl"
    annotate(["m"], gray_images, whole, batch_size=4)
    lines = whole.read_bytes().splitlines(keepends=True)
    for done in (1, 3, 4, 10, 12, 24):
        cut.unlink(missing_ok=True)
        (tmp_path / "cut.jsonl.partial").write_bytes(b"".join(lines[:done]))
        shutil.copy(f"{whole}.settings.json", f"{cut}.settings.json")
        assert annotate(["m"], gray_images, cut, batch_size=4) == (25, 1)
        assert cut.read_bytes() == whole.read_bytes()


def test_other_settings_are_refused_by_name(brightness, gray_images, tmp_path):
    output = tmp_path / "o.jsonl"

    def run(**options):
        source = options.pop("source", gray_images)
        return annotate(["m"], source, output, **options)

    run(top_k=3)
    with pytest.raises(ValueError, match=r"a run with top_k=3\. Give the same"):
        run(top_k=4)
    with pytest.raises(ValueError, match="images=.*gray"):
        run(top_k=3, source=gray_images / "01.png")
    brightness["tagger"][1]["files"]["tagger.keras"] = "def"
    with pytest.raises(ValueError, match=r"tagger \(SHA-256\)=abc"):
        run(top_k=3)
    for path in tmp_path.glob("o.jsonl*"):
        path.unlink()
    assert run(top_k=4) == (25, 0)


def test_foreign_files_are_left_alone(brightness, gray_images, tmp_path):
    output = tmp_path / "mine.csv"
    output.write_text("image,caption\n")
    with pytest.raises(ValueError, match="mine.csv exists, and no mine.csv.settings"):
        annotate(["m"], gray_images, output)
    assert output.read_text() == "image,caption\n"
    with pytest.raises(ValueError, match="must end in .jsonl or .csv"):
        annotate(["m"], gray_images, tmp_path / "o.txt")
    (tmp_path / "none").mkdir()
    with pytest.raises(FileNotFoundError, match="none holds no image files"):
        annotate(["m"], tmp_path / "none", tmp_path / "o.csv")


def test_csv_has_the_same_answers(brightness, gray_images, tmp_path):
    (gray_images / 'a "b", c;\nd é.png').write_bytes(b"broken")
    name = os.fsdecode(os.fsencode(gray_images) + b"/\xff.png")
    Image.new("L", (3, 3), 5).save(name)
    counts = annotate(["m"], gray_images, tmp_path / "o.csv")
    assert counts == annotate(["m"], gray_images, tmp_path / "o.jsonl")
    assert counts == (27, 1)
    expected = read(tmp_path / "o.jsonl")
    with open(tmp_path / "o.csv", newline="", errors="surrogateescape") as file:
        rows = list(csv.DictReader(file))
    assert list(rows[0]) == [
        "image",
        "tags",
        "tag_scores",
        "tag_probabilities",
        "error",
    ]
    for record, row in zip(expected, rows, strict=True):
        assert row["image"] == record["image"]
        assert row["error"] == record.get("error", "")
        assert row["tags"] == ";".join(record.get("tags", []))
        scores = [float(score) for score in row["tag_scores"].split(";") if score]
        assert scores == record.get("tag_scores", [])
    assert name in [row["image"] for row in rows]
    # A finished file is counted again, and not made again.
    assert annotate(["m"], gray_images, tmp_path / "o.csv") == (27, 1)


def test_images_that_came_later_are_not_passed_over(brightness, gray_images, tmp_path):
    run = (["m"], gray_images, tmp_path / "o.csv")
    before, _ = annotate(*run)
    assert annotate(*run) == (before, 0)
    Image.new("L", (3, 3)).save(gray_images / "new.png")
    with pytest.raises(ValueError, match=f"{before} records, .* {before + 1} images"):
        annotate(*run)


@pytest.mark.parametrize("kind", ["jsonl", "csv", "parquet"])
def test_as_many_other_images_are_not_passed_over(
    kind, brightness, gray_images, tmp_path
):
    strange = os.fsdecode(os.fsencode(gray_images) + b'/\xff "\n".png')
    (gray_images / "03.png").rename(strange)
    run = (["m"], gray_images, tmp_path / f"o.{kind}")
    assert annotate(*run) == annotate(*run) == (25, 0)
    (gray_images / "07.png").rename(gray_images / "new.png")
    with pytest.raises(ValueError, match="is finished, .* now holds other images"):
        annotate(*run)


def test_relative_names_of_another_folder_are_other_images(
    brightness, gray_images, tmp_path, monkeypatch
):
    monkeypatch.chdir(tmp_path)
    (tmp_path / "list.txt").write_text("gray/01.png\n")
    sources = ["gray", tmp_path / "list.txt"]
    for i, source in enumerate([*sources, gray_images]):
        annotate(["m"], source, tmp_path / f"{i}.jsonl")
    monkeypatch.chdir(gray_images.parent.parent)
    for i, source in enumerate(sources):
        message = "belongs to a run with current folder=|is no file or folder"
        with pytest.raises((ValueError, FileNotFoundError), match=message):
            annotate(["m"], source, tmp_path / f"{i}.jsonl")
    # An absolute path means the same everywhere.
    assert annotate(["m"], gray_images, tmp_path / "2.jsonl") == (25, 0)


def test_a_lack_of_memory_is_no_fault_of_an_image(
    brightness, gray_images, tmp_path, monkeypatch
):
    """It ends the run, which goes on when there is more."""
    run = (["m"], gray_images, tmp_path / "o.jsonl")

    def without_memory(content):
        raise tf.errors.ResourceExhaustedError(None, None, "OOM")

    with monkeypatch.context() as patch:
        patch.setattr(read_ahead, "_views_of", lambda resizes: without_memory)
        with pytest.raises(OSError, match=r"00.png could not be decoded, the memory"):
            annotate(*run)
    assert annotate(*run) == (25, 0)


@pytest.mark.parametrize("formulas", [False, True])
def test_names_like_formulas(formulas, brightness, gray_images, tmp_path, monkeypatch):
    monkeypatch.chdir(gray_images)
    (gray_images / "00.png").rename("=1+1.png")
    (tmp_path / "list").write_text("=1+1.png\n01.png\n")
    output = tmp_path / "o.csv"
    for _ in range(2):  # the second finds it finished, and of these images
        found = annotate(["m"], tmp_path / "list", output, csv_formulas=formulas)
        assert found == (2, 0)
    name = "=1+1.png" if formulas else "'=1+1.png"
    assert output.read_text().splitlines()[1].startswith(name)
    with pytest.raises(ValueError, match="belongs to a run with"):
        annotate(["m"], tmp_path / "list", output, csv_formulas=not formulas)


@pytest.mark.slow
def test_a_folder_of_50_000_images(brightness, tmp_path):
    folder, output = tmp_path / "images", tmp_path / "o.csv"
    folder.mkdir()
    Image.new("L", (3, 3), 200).save(folder / "00000.png")
    content = (folder / "00000.png").read_bytes()
    for number in range(1, 50_000):
        (folder / f"{number:05}.png").write_bytes(content)
    assert annotate(["m"], folder, output, sidecars="txt") == (50_000, 0)
    with open(output, newline="") as file:
        names = [row["image"] for row in csv.DictReader(file)]
    assert names == sorted(str(path) for path in folder.glob("*.png"))
    assert len(list(folder.iterdir())) == 100_000  # no temporary file
