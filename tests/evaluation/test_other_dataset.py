"""Models scored on a data set that they did not learn."""

import csv
import dataclasses
import json
import shutil

import numpy as np
import pytest
from PIL import Image

from annotator import datasets
from annotator.evaluation.run import evaluate
from annotator.metrics.tags import score_tags
from annotator.runs.heads import TAGGER
from annotator.runs.run import Run

COLORS = {"red": (220, 30, 30), "blue": (40, 60, 220), "pink": (240, 130, 190)}


@pytest.fixture(scope="module")
def other_folder(tmp_path_factory):
    """9 images of one color each, a third of them of a color that nobody learned."""
    folder = tmp_path_factory.mktemp("other")
    tags, captions = ["image,tags,split"], ["image,caption,split"]
    rng = np.random.default_rng(1)
    for i in range(9):
        name = list(COLORS)[i % 3]
        pixels = np.full((40, 48, 3), COLORS[name]) + rng.integers(-9, 9, (40, 48, 3))
        Image.fromarray(np.uint8(pixels.clip(0, 255))).save(folder / f"o{i}.png")
        extra = ";shiny" if i < 2 else ""
        tags.append(f"o{i}.png,{name}{extra},test")
        captions.append(f"o{i}.png,A shiny wall of {name} .,test")
    (folder / "tags.csv").write_text("\n".join(tags))
    (folder / "captions.csv").write_text("\n".join(captions))
    return folder


def written(workdir):
    """Names and contents of what stands in the folder of scores."""
    return {path.name: path.read_bytes() for path in (workdir / "metrics").iterdir()}


def test_tags_that_the_tagger_does_not_know(tagger_run, other_folder, tmp_path):
    workdir = shutil.copytree(tagger_run[0], tmp_path / "run")
    own, config = written(workdir), (workdir / "config.json").read_bytes()
    metrics, table = evaluate(
        workdir,
        "test",
        html=True,
        html_images=3,
        dataset="folder",
        data_dir=str(other_folder),
    )
    # Counted, named, and no part of the score.
    assert metrics["unknown_tags"] == {"pink": 3, "shiny": 2}
    assert (metrics["words"], metrics["split_words"]) == (2, 4)
    assert metrics["tagger_images"] == 9
    assert "folder test (learned: folder), tags: 9 images, 2 words" in table
    told = (
        "2 of the 4 words of the split are unknown to the tagger: pink (3), shiny (2)"
    )
    assert told in table
    told = f"N+ over all words of the split: {metrics['n_plus']} of 4"
    assert told in table
    # The score is that of the columns which both know.
    with open(workdir / "metrics/folder_test_words.csv", newline="") as file:
        rows = {row["word"]: row for row in csv.DictReader(file)}
    assert set(rows) == {"red", "green", "blue"}
    counts = [int(rows[word]["true"]) for word in ("red", "green", "blue")]
    assert counts == [3, 0, 3]
    recalls = [float(rows[word]["recall"]) for word in ("red", "blue")]
    assert metrics["recall"] == pytest.approx(np.mean(recalls))
    assert metrics["recall"] > 0.5  # red and blue it did learn
    # The run's own scores and settings stay as they were.
    now = written(workdir)
    assert {name: now[name] for name in own} == own
    new = {"folder_test.json", "folder_test_seconds.json", "folder_test_words.csv"}
    assert new == set(now) - set(own)
    assert json.loads(now["folder_test.json"]) == metrics
    assert (workdir / "config.json").read_bytes() == config
    report = (workdir / "reports" / "folder_test.html").read_text()
    assert "2 of the 4 words of the split are unknown" in report
    assert report.count('src="data:image/jpeg') == 3
    assert 'id="tagger-probabilities"' in report  # it was calibrated


def test_known_words_are_scored_as_if_there_were_no_others(
    tagger_run, other_folder, tmp_path
):
    workdir = shutil.copytree(tagger_run[0], tmp_path / "run")
    place = {"dataset": "folder", "data_dir": str(other_folder)}
    metrics, _ = evaluate(workdir, "test", task="tagger", **place)
    run = Run.open(workdir, **place)
    (regions,) = run.split(TAGGER, "test").regions(9)
    scores = run.tagger()(regions).numpy()
    # `green` is no word of the other data set: it takes no place there.
    asked = np.isin(run.words(), run.split(TAGGER, "test").annotated.words)
    scores = np.where(asked, scores, -np.inf)
    predicted = np.zeros(scores.shape, bool)
    np.put_along_axis(predicted, np.argsort(-scores)[:, :2], True, axis=1)  # top_k
    true = np.zeros_like(predicted)
    for row in range(9):
        color = list(COLORS)[row % 3]
        if color in run.words():
            true[row, run.words().index(color)] = True
    expected = score_tags(predicted, true, run.words())
    del expected["images"]
    assert {name: metrics[name] for name in expected} == pytest.approx(expected)


def test_a_data_set_without_a_known_word_is_refused(tagger_run, other_folder, tmp_path):
    workdir = shutil.copytree(tagger_run[0], tmp_path / "run")
    folder = shutil.copytree(other_folder, tmp_path / "images")
    lines = (folder / "tags.csv").read_text().replace("red", "rot")
    (folder / "tags.csv").write_text(lines.replace("blue", "blau"))
    with pytest.raises(ValueError, match="none of the words of folder test"):
        evaluate(workdir, "test", dataset="folder", data_dir=str(folder))
    # Of its own data set it is to know all words.
    with pytest.raises(ValueError, match="never told of the words"):
        evaluate(workdir, "test", data_dir=str(folder))


@pytest.mark.slow
def test_captions_with_words_that_the_captioner_does_not_know(
    captioner_run, other_folder, tmp_path
):
    workdir = shutil.copytree(captioner_run[0], tmp_path / "run")
    own = written(workdir)
    metrics, table = evaluate(
        workdir,
        "test",
        shown=2,
        attention=1,
        html=True,
        html_images=4,
        dataset="folder",
        data_dir=str(other_folder),
    )
    assert metrics["captioner_images"] == 9 and metrics["bleu_1"] > 0
    assert metrics["unknown_words"] == {"shiny": 9, "pink": 3}
    assert metrics["reference_words"] == 45  # "a shiny wall of red"
    assert metrics["unknown_word_share"] == pytest.approx(12 / 45)
    assert "26.7 % of the 45 words of the references are not in the" in table
    assert "vocabulary: shiny (9), pink (3)" in table
    now = written(workdir)
    assert {name: now[name] for name in own} == own
    captions = json.loads(now["folder_test_captions.json"])
    names = [caption["image_id"] for caption in captions]
    assert names == [f"o{i}.png" for i in range(9)]
    pictures = {path.name for path in (workdir / "pictures").iterdir()}
    assert {"folder_test.png", "folder_test_attention"} <= pictures
    report = (workdir / "reports" / "folder_test.html").read_text()
    assert "learned from another data set, folder" in report
    assert "26.7 % of the 45 words of the references" in report
    assert report.count('src="data:image/jpeg') == 4 and "data-maps=" in report
    assert "Loss: cross entropy (nats a word) by training step" in report


def test_another_data_set_lies_elsewhere_unless_said(tagger_run, tmp_path):
    def opened(**overrides):
        return Run.open(tagger_run[0], **overrides)

    own = opened()
    assert opened(dataset="folder").config == own.config  # as it lies
    shapes = opened(dataset="shapes")
    elsewhere = dataclasses.replace(own.config, dataset="shapes", data_dir=None)
    assert shapes.config == elsewhere
    there = opened(dataset="coco", data_dir=str(tmp_path))
    assert there.config.data_dir == str(tmp_path)
    assert own.label("test") == "test" and shapes.label("test") == "shapes_test"
    voc = opened(dataset="tfds:voc/2007")
    assert voc.label("test[:10%]") == "tfds_voc_2007_test[:10%]"
    assert (own.learned_dataset, voc.learned_dataset) == (None, "folder")
    with pytest.raises(ValueError, match="Did you mean shapes"):
        opened(dataset="shape")
    # It is opened to be scored, and the run stays that of its data set.
    with pytest.raises(ValueError, match="to be scored on shapes, not to be trained"):
        shapes.claim()


def test_what_a_data_set_lacks_is_said_with_the_task_that_does_without(
    tagger_run, other_folder, tmp_path
):
    folder = shutil.copytree(other_folder, tmp_path / "images")
    (folder / "tags.csv").unlink()
    with pytest.raises(ValueError, match="no tags for the tagger. --task=captioner"):
        evaluate(tagger_run[0], "test", dataset="folder", data_dir=str(folder))


def test_the_data_set_that_is_named_is_loaded(tagger_run, monkeypatch):
    asked = []

    def load(name, split, **options):
        asked.append((name, split, options["data_dir"]))
        raise FileNotFoundError("none")

    monkeypatch.setattr(datasets, "load", load)
    with pytest.raises(FileNotFoundError):
        evaluate(tagger_run[0], "test", dataset="corel5k")
    assert asked == [("corel5k", "test", None)]
