"""Records of images: what is in them, how a run goes on, and what is refused."""

import csv
import json
import os
import pathlib

import keras
import numpy as np
import pytest
import tensorflow as tf
from PIL import Image

from annotator.annotation import run as annotation
from annotator.annotation.model import AnnotationModel, find_exports
from annotator.annotation.record_file import RecordFile
from annotator.images import read_ahead as decoding
from annotator.images.decode import Resize


@pytest.fixture(scope="module")
def exports(tagger_run, captioner_run):
    """Folders of a tagger's and a captioner's export."""
    return tagger_run[0] / "export", captioner_run[0] / "export" / "captioner"


@pytest.fixture(scope="module")
def model(exports):
    return AnnotationModel.load(find_exports(exports))


@pytest.fixture(scope="module")
def pairs(image_folder):
    return [(p.name, p.read_bytes()) for p in sorted(image_folder.glob("1*.png"))]


class Brightness:
    """Stands for a model: tags an image by how bright it is."""

    resizes = (Resize(4),)
    tasks = ("tagger",)

    def __call__(self, views):
        means = tf.reduce_mean(views[0], axis=(1, 2, 3))
        tags = tf.where(means > 100, "light", "dark")[:, None]
        return {"tagger": {"tags": tags, "scores": means[:, None]}}


@pytest.fixture
def brightness(stand_in):
    """Makes `annotate` use `Brightness`; returns what the exports are said to be."""
    return stand_in(Brightness())


@pytest.fixture
def gray_images(tmp_path):
    """A folder of 25 images whose brightness is their number times ten."""
    folder = tmp_path / "gray"
    folder.mkdir()
    for i in range(25):
        Image.new("L", (3, 2), 10 * i).save(folder / f"{i:02}.png")
    return folder


def read(path):
    return [json.loads(line) for line in path.read_text().splitlines()]


def test_records_say_what_each_export_says_alone(
    exports, tagger_run, captioner_run, model, pairs
):
    records = list(annotation.records(model, pairs, batch_size=4))
    assert [r["image"] for r in records] == [name for name, _ in pairs]
    encoded = tf.constant([content for _, content in pairs])
    pixels = np.stack([tf.io.decode_image(content).numpy() for _, content in pairs])
    for (saved_model, keras_file), key, one in (
        (tagger_run[2], "tags", lambda r: r["tags"]),
        (captioner_run[2], "captions", lambda r: r["caption"]),
    ):
        served = tf.saved_model.load(saved_model).signatures["serving_default"]
        served = served(image_bytes=encoded)
        scripted = keras.saving.load_model(keras_file).predict(pixels, verbose=0)
        for alone in (served, scripted):
            texts = [np.char.decode(np.asarray(row, bytes)) for row in alone[key]]
            assert [one(r) for r in records] == [text.tolist() for text in texts]
            score = "caption_score" if key == "captions" else "tag_scores"
            np.testing.assert_allclose(
                [r[score] for r in records], np.asarray(alone["scores"]), rtol=1e-4
            )


def test_batches_and_workers_change_nothing(model, pairs):
    expected = list(annotation.records(model, pairs, batch_size=4, workers=1))
    found = list(annotation.records(model, iter(pairs), batch_size=7, workers=5))
    for one, other in zip(expected, found, strict=True):
        for name in one:
            if "score" in name:
                np.testing.assert_allclose(one[name], other[name], rtol=1e-4)
            else:
                assert one[name] == other[name]


def test_captions_and_tags_as_many_as_asked_for(exports, pairs):
    model = AnnotationModel.load(find_exports(exports), captions=4, top_k=0)
    for record in annotation.records(model, pairs[:3]):
        scores = [each["score"] for each in record["captions"]]
        assert len(scores) == 4 and scores == sorted(scores, reverse=True)
        assert record["captions"][0] == {
            "caption": record["caption"],
            "score": record["caption_score"],
        }
        assert len({each["caption"] for each in record["captions"]}) == 4
        assert sorted(record["tags"]) == ["blue", "green", "red"]
    cut = sorted(record["tag_scores"])[1]
    model = AnnotationModel.load(
        find_exports(exports[:1]), top_k=0, threshold=cut - 1e-4
    )
    (again,) = annotation.records(model, [pairs[2]])
    assert set(again) == {"image", "tags", "tag_scores"}
    assert again["tags"] == record["tags"][:2]


@pytest.mark.parametrize(
    ("which", "options", "message"),
    [
        (1, {"top_k": 2}, "--top_k and --threshold need a tagger"),
        (0, {"captions": 2}, "--captions=2 needs a captioner"),
        (1, {"captions": 0}, "at least 1, got 0"),
    ],
)
def test_options_without_their_model(which, options, message, exports):
    found = find_exports([exports[which]])
    with pytest.raises(ValueError, match=message):
        AnnotationModel.load(found, **options)


def test_exports_are_found_in_each_kind_of_folder(exports, tagger_run, tmp_path):
    version = tagger_run[2][0]
    for folder in (version, version.parent, version.parent.parent):
        ((task, (found, manifest)),) = find_exports([str(folder)]).items()
        assert task == manifest["task"] == "tagger"
        assert found.parent == version.parent
    assert list(find_exports(exports)) == ["captioner", "tagger"]
    with pytest.raises(ValueError, match="are both a tagger"):
        find_exports([version, version.parent])
    with pytest.raises(FileNotFoundError, match=f"{tmp_path} is no exported model"):
        find_exports([tmp_path])


@pytest.mark.parametrize(
    ("manifest", "message"),
    [
        ({"task": "poet"}, "its task is 'poet'"),
        ({"task": "tagger"}, r"its files are \['saved_model.pb'\]"),
    ],
)
def test_exports_of_another_kind_are_named(manifest, message, tmp_path):
    (tmp_path / "assets.extra").mkdir()
    (tmp_path / "saved_model.pb").touch()
    empty = "e3b0c44298fc1c149afbf4c8996fb92427ae41e4649b934ca495991b7852b855"
    manifest = {**manifest, "files": {"saved_model.pb": empty}}
    (tmp_path / "assets.extra" / "annotator.json").write_text(json.dumps(manifest))
    with pytest.raises(ValueError, match=f"{tmp_path} is no export .*{message}"):
        find_exports([tmp_path])


def test_errors_stand_in_their_place(gray_images):
    names = sorted(map(str, gray_images.iterdir()))
    pairs = [(name, pathlib.Path(name).read_bytes()) for name in names[:9]]
    pairs[0] = "empty", b""
    pairs[3] = "gone", FileNotFoundError(2, "No such file or directory")
    pairs[4:6] = [("text", b'some "text"\xff here'), ("bad", b"GIF89a")]
    records = list(annotation.records(Brightness(), pairs, batch_size=2))
    assert [r["image"] for r in records] == [name for name, _ in pairs]
    failed = {r["image"]: r["error"] for r in records if "error" in r}
    assert list(failed) == ["empty", "gone", "text", "bad"]
    assert failed["empty"].startswith("Not a JPEG, PNG, GIF, BMP or WebP image; ")
    assert failed["empty"].endswith("its length in bytes is 0")
    assert failed["gone"] == "No such file or directory"
    assert 'it begins with some "text"\N{REPLACEMENT CHARACTER}' in failed["text"]
    assert "GIF" in failed["bad"]
    scores = [r["tag_scores"][0] for r in records if "error" not in r]
    assert scores == [10, 20, 60, 70, 80]


def test_a_run_that_stops_anywhere_ends_as_one_that_does_not(
    brightness, gray_images, tmp_path, monkeypatch
):
    def run(name):
        return annotation.annotate(
            ["m"], gray_images, tmp_path / name, batch_size=4, workers=2
        )

    assert run("whole.jsonl") == (25, 0)
    expected = read(tmp_path / "whole.jsonl")
    assert [r["tags"] for r in expected] == [["dark"]] * 11 + [["light"]] * 14
    output, partial = tmp_path / "cut.jsonl", tmp_path / "cut.jsonl.partial"
    append, stops = RecordFile.append, 0

    def stopping(self, record):
        append(self, record)
        if self.records % 7 == 0:
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
    monkeypatch.setattr(annotation.AnnotationModel, "load", None)
    assert run("cut.jsonl") == (25, 0)


def test_other_settings_are_refused_by_name(brightness, gray_images, tmp_path):
    output = tmp_path / "o.jsonl"

    def run(**options):
        source = options.pop("source", gray_images)
        return annotation.annotate(["m"], source, output, **options)

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
        annotation.annotate(["m"], gray_images, output)
    assert output.read_text() == "image,caption\n"
    with pytest.raises(ValueError, match="must end in .jsonl or .csv"):
        annotation.annotate(["m"], gray_images, tmp_path / "o.txt")
    (tmp_path / "none").mkdir()
    with pytest.raises(FileNotFoundError, match="none holds no image files"):
        annotation.annotate(["m"], tmp_path / "none", tmp_path / "o.csv")


def test_csv_has_the_same_answers(brightness, gray_images, tmp_path):
    (gray_images / 'a "b", c;\nd é.png').write_bytes(b"broken")
    name = os.fsdecode(os.fsencode(gray_images) + b"/\xff.png")
    Image.new("L", (3, 3), 5).save(name)
    counts = annotation.annotate(["m"], gray_images, tmp_path / "o.csv")
    assert counts == annotation.annotate(["m"], gray_images, tmp_path / "o.jsonl")
    assert counts == (27, 1)
    expected = read(tmp_path / "o.jsonl")
    with open(tmp_path / "o.csv", newline="", errors="surrogateescape") as file:
        rows = list(csv.DictReader(file))
    assert list(rows[0]) == ["image", "tags", "tag_scores", "error"]
    for record, row in zip(expected, rows, strict=True):
        assert row["image"] == record["image"]
        assert row["error"] == record.get("error", "")
        assert row["tags"] == ";".join(record.get("tags", []))
        scores = [float(score) for score in row["tag_scores"].split(";") if score]
        assert scores == record.get("tag_scores", [])
    assert name in [row["image"] for row in rows]
    # A finished file is counted again, and not made again.
    assert annotation.annotate(["m"], gray_images, tmp_path / "o.csv") == (27, 1)


def test_csv_has_columns_for_all_captions():
    record = {
        "image": "a",
        "caption": "x",
        "caption_score": -1.0,
        "captions": [{"caption": "x", "score": -1.0}, {"caption": "y", "score": -2.0}],
    }
    row = annotation.csv_row(record, ("captioner",), 3)
    assert row == {
        "image": "a",
        "caption": "x",
        "caption_score": -1.0,
        "caption_2": "y",
        "caption_2_score": -2.0,
        "caption_3": None,
        "caption_3_score": None,
        "error": None,
    }
    failed = annotation.csv_row({"image": "b", "error": "e"}, ("captioner",), 3)
    assert list(failed) == list(row) and failed["error"] == "e"


@pytest.mark.parametrize("kind", ["txt", "json"])
def test_sidecars_stand_beside_their_images(kind, brightness, gray_images, tmp_path):
    twin = gray_images / "00.bmp"  # its sidecar must not be that of 00.png
    Image.new("L", (3, 3), 255).save(twin)
    (gray_images / "bad.png").touch()
    annotation.annotate(["m"], gray_images, tmp_path / "o.jsonl", sidecars=kind)
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
    annotation._write_sidecar(record, "txt")
    assert (tmp_path / "i.jpg.txt").read_text() == "a dog\n"
    (tmp_path / "i.jpg.txt").unlink()
    record.update(captions=captions, tags=["dog", "grass"])
    annotation._write_sidecar(record, "txt")
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
    annotation._write_sidecar(record, kind)
    assert path.read_text() == foreign
    assert f"{path} exists and was not written for this" in record["error"]


@pytest.mark.parametrize("kind", ["txt", "json"])
def test_a_sidecar_of_a_run_that_was_cut_off_is_written_again(kind, tmp_path):
    for score in (-1.0, -1.00001):  # other neighbors in a batch, another last digit
        record = {"image": str(tmp_path / "i.jpg"), "caption": "a dog"}
        record["caption_score"] = score
        annotation._write_sidecar(record, kind)
        assert "error" not in record
    if kind == "json":
        assert json.loads((tmp_path / "i.jpg.json").read_text()) == record


@pytest.mark.parametrize("kind", ["txt", "json"])
def test_a_run_with_sidecars_goes_on_and_spares_other_files(
    kind, brightness, gray_images, tmp_path, monkeypatch
):
    def run():
        output = tmp_path / "o.jsonl"
        return annotation.annotate(["m"], gray_images, output, sidecars=kind)

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


def test_images_that_came_later_are_not_passed_over(brightness, gray_images, tmp_path):
    run = (["m"], gray_images, tmp_path / "o.csv")
    before, _ = annotation.annotate(*run)
    assert annotation.annotate(*run) == (before, 0)
    Image.new("L", (3, 3)).save(gray_images / "new.png")
    with pytest.raises(ValueError, match=f"{before} records, .* {before + 1} images"):
        annotation.annotate(*run)


@pytest.mark.parametrize("kind", ["jsonl", "csv", "parquet"])
def test_as_many_other_images_are_not_passed_over(
    kind, brightness, gray_images, tmp_path
):
    strange = os.fsdecode(os.fsencode(gray_images) + b'/\xff "\n".png')
    (gray_images / "03.png").rename(strange)
    run = (["m"], gray_images, tmp_path / f"o.{kind}")
    assert annotation.annotate(*run) == annotation.annotate(*run) == (25, 0)
    (gray_images / "07.png").rename(gray_images / "new.png")
    with pytest.raises(ValueError, match="is finished, .* now holds other images"):
        annotation.annotate(*run)


def test_relative_names_of_another_folder_are_other_images(
    brightness, gray_images, tmp_path, monkeypatch
):
    monkeypatch.chdir(tmp_path)
    (tmp_path / "list.txt").write_text("gray/01.png\n")
    sources = ["gray", tmp_path / "list.txt"]
    for i, source in enumerate([*sources, gray_images]):
        annotation.annotate(["m"], source, tmp_path / f"{i}.jsonl")
    monkeypatch.chdir(gray_images.parent.parent)
    for i, source in enumerate(sources):
        message = "belongs to a run with current folder=|is no file or folder"
        with pytest.raises((ValueError, FileNotFoundError), match=message):
            annotation.annotate(["m"], source, tmp_path / f"{i}.jsonl")
    # An absolute path means the same everywhere.
    assert annotation.annotate(["m"], gray_images, tmp_path / "2.jsonl") == (25, 0)


def test_a_lack_of_memory_is_no_fault_of_an_image(
    brightness, gray_images, tmp_path, monkeypatch
):
    """It ends the run, which goes on when there is more."""
    run = (["m"], gray_images, tmp_path / "o.jsonl")

    def without_memory(content):
        raise tf.errors.ResourceExhaustedError(None, None, "OOM")

    with monkeypatch.context() as patch:
        patch.setattr(decoding, "_views_of", lambda resizes: without_memory)
        with pytest.raises(OSError, match=r"00.png could not be decoded, the memory"):
            annotation.annotate(*run)
    assert annotation.annotate(*run) == (25, 0)


def test_what_a_kill_left_beside_an_image_goes(brightness, gray_images, tmp_path):
    litter = gray_images / ".annotator.04.png.txt"
    litter.write_text("half of a")
    before = set(gray_images.iterdir())
    annotation.annotate(["m"], gray_images, tmp_path / "o.jsonl", sidecars="txt")
    assert not litter.exists()
    new = {path.name for path in set(gray_images.iterdir()) - before}
    assert new == {f"{i:02}.png.txt" for i in range(25)}
