"""A whole run on a small folder: scores, files, resuming, extending, other taggers."""

import csv
import dataclasses
import json
import os
import shutil

import keras
import numpy as np
import pytest
import scipy.linalg
import tensorflow as tf
from PIL import Image

from annotator import datasets
from annotator.evaluation.run import evaluate
from annotator.pictures import contact_sheet
from annotator.runs import settings_file
from annotator.runs.heads import TAGGER
from annotator.runs.run import Run
from annotator.tagger.tagger import Tagger
from annotator.training.run import train


def test_learns_the_colors_and_writes_its_files(tagger_run):
    workdir, metrics, exports = tagger_run
    assert metrics["f1"] > 0.7 and metrics["n_plus"] == metrics["words"] == 3
    assert json.loads((workdir / "metrics" / "validation.json").read_text()) == metrics
    with open(workdir / "metrics" / "validation_words.csv", newline="") as file:
        rows = list(csv.DictReader(file))
    assert [row["word"] for row in rows] == ["blue", "green", "red"]
    recalls = [float(row["recall"]) for row in rows]
    assert np.mean(recalls) == pytest.approx(metrics["recall"])
    assert list((workdir / "logs" / "validation").iterdir())
    assert all(path.exists() for path in exports)


def test_table_is_in_percent_and_other_splits_work(tagger_run):
    metrics, table = evaluate(tagger_run[0], "test", compare=True)
    assert f"{100 * metrics['f1']:.2f}" in table and "this run" in table
    assert metrics["tagger_images"] == 6
    assert (tagger_run[0] / "metrics" / "test.json").is_file()


def test_pictures_show_what_was_said_of_which_image(tagger_run, monkeypatch):
    shown = []
    monkeypatch.setattr(
        contact_sheet, "write_contact_sheet", lambda *args: shown.append(args)
    )
    evaluate(tagger_run[0], "test", shown=3)
    ((encoded, texts, path),) = shown
    annotated = datasets.load(
        "folder", "test", data_dir=settings_file.load(tagger_run[0]).data_dir
    )
    contents = [content for _, content in annotated.encoded_images()]
    # Spread over the split: the first, one in the middle, the last.
    assert encoded == [contents[row].numpy() for row in (0, 2, 5)]
    for row, (words,) in zip((0, 2, 5), texts, strict=True):
        assert len(words) == 2  # top_k
        true = {annotated.words[word] for word in np.flatnonzero(annotated.tags[row])}
        assert all(right == (word in true) for word, right in words)
    assert path == tagger_run[0] / "pictures" / "test.png"


def test_equals_numpy_from_regions_to_scores(tagger_run, tagger_config):
    """An independent recomputation: scikit-learn's and NumPy's own steps."""
    from sklearn.metrics import pairwise_distances_argmin

    workdir = tagger_run[0]
    arrays = np.load(workdir / "tagger" / "encoder.npz")
    vectors = np.load(workdir / "tagger" / "vectors.npy")
    tags = np.load(workdir / "tagger" / "tags.npz")["tags"]
    split = Run(tagger_config, workdir).split(TAGGER, "train")
    regions = np.concatenate(list(split.regions(8).as_numpy_iterator()))
    expected = []
    for image in regions.astype(np.float64):
        projected = np.sqrt(image) @ arrays["kernel"] + arrays["bias"]
        nearest = pairwise_distances_argmin(projected, arrays["codebook"])
        sums = np.zeros(arrays["codebook"].shape)
        np.add.at(sums, nearest, projected - arrays["codebook"][nearest])
        vector = np.sign(sums.ravel()) * np.sqrt(np.abs(sums.ravel()))
        root = scipy.linalg.sqrtm(np.cov(projected.T, bias=True)).real
        root *= np.where(np.eye(len(root)), 1, np.sqrt(2))
        upper = root[np.triu_indices(len(root))]
        parts = [part / np.linalg.norm(part) for part in (vector, upper)]
        expected.append(np.concatenate(parts))
    np.testing.assert_allclose(vectors, expected, atol=1e-4)
    chosen = json.loads((workdir / "tagger" / "strengths.json").read_text())
    assert 0 < chosen["f1"] <= 1
    centered = expected - np.mean(expected, axis=0)
    covariance = np.cov(centered.T, bias=True)
    covariance += chosen["shrinkage"] * np.trace(covariance) * np.eye(len(covariance))
    means = np.array([centered[column].mean(axis=0) for column in tags.T])
    directions = scipy.linalg.solve(covariance, means.T)
    directions /= np.sqrt(np.sum(means.T * directions, axis=0))
    tagger = keras.saving.load_model(workdir / "tagger" / "tagger.keras")
    linear = keras.Model(tagger.inputs, tagger.get_layer("scores").output)
    scores = linear(regions).numpy()
    # What is left is one number a word: its margin.
    margins = centered @ directions - scores
    assert margins.std(axis=0).max() < 1e-3 < margins.mean(axis=0).min()


@pytest.mark.parametrize("stage", ["encoder.npz", "tags.npz", "tagger.keras"])
def test_a_run_cut_off_at_any_stage_ends_the_same(
    stage, tagger_run, tagger_config, tmp_path, monkeypatch, no_exports
):
    """Dies right before `stage` is renamed into place, then runs again."""
    replace = os.replace

    def die(source, target):
        if str(target).endswith(stage):
            raise KeyboardInterrupt
        replace(source, target)

    workdir = tmp_path / "run"
    with monkeypatch.context() as patch, pytest.raises(KeyboardInterrupt):
        patch.setattr(os, "replace", die)
        train(tagger_config, workdir)
    assert not (workdir / "tagger" / stage).exists()
    metrics, _, _ = train(tagger_config, workdir)
    assert metrics == tagger_run[1]
    for name in ("vectors.npy", "encoder.npz"):
        assert same_arrays(workdir / "tagger" / name, tagger_run[0] / "tagger" / name)
    ours, theirs = (
        keras.saving.load_model(folder / "tagger" / "tagger.keras").get_weights()
        for folder in (workdir, tagger_run[0])
    )
    for one, other in zip(ours, theirs, strict=True):
        np.testing.assert_array_equal(one, other)


def test_equals_the_keras_tagger_of_the_same_data(tagger_run, tagger_config):
    workdir, _, _ = tagger_run
    run = Run(tagger_config, workdir)
    split = run.split(TAGGER, "train")
    tags = tf.data.Dataset.from_tensor_slices(split.annotated.tags).batch(8)
    ours = Tagger(split.annotated.words, components=8, codebook=4)
    ours.fit(tf.data.Dataset.zip((split.regions(8), tags)))
    regions = run.split(TAGGER, "validation").regions(8)
    scores = run.tagger().predict(regions, verbose=0)
    assert np.ptp(scores) > 0.1
    np.testing.assert_allclose(ours.predict(regions, verbose=0), scores, atol=1e-5)


def same_arrays(path, other):
    one, two = np.load(path), np.load(other)
    if path.suffix == ".npy":
        return np.array_equal(one, two)
    return all(np.array_equal(one[name], two[name]) for name in two.files)


_LARGE = {"scales": (64,), "flip": False}


@pytest.mark.parametrize(
    "settings",
    [
        pytest.param({"tagger": "jec"}, marks=pytest.mark.slow),
        {"tagger": "2pknn"},
        {"tagger": "mbrm", "grid": 2, **_LARGE},
        {"similarity": "l2", "vlad": (), **_LARGE},
        pytest.param({"similarity": "cosine", **_LARGE}, marks=pytest.mark.slow),
        {"top_k": 0, "threshold": 0.0},
    ],
)
def test_other_taggers_and_settings(settings, tagger_config, tmp_path):
    config = dataclasses.replace(tagger_config, **settings)
    metrics, _, exports = train(config, tmp_path)
    # Two words of three at random give 0.53, all three 0.62, the best two 0.86.
    assert metrics["f1"] > 0.75
    with open(tmp_path / "metrics" / "validation_words.csv", newline="") as file:
        given = sum(int(row["predicted"]) for row in csv.DictReader(file))
    # To six images, which have eight words together.
    assert given == 12 if config.top_k else 6 <= given < 12
    assert all(path.exists() for path in exports)


def test_extending_adds_images_and_words_without_refitting(
    tagger_run, tagger_config, image_folder, tmp_path, no_exports
):
    folder = tmp_path / "more"
    folder.mkdir()
    rng = np.random.default_rng(1)
    for i in range(12):
        color = (235, 225, 40) if i % 2 else (220, 30, 30)
        pixels = np.full((40, 48, 3), color) + rng.integers(-20, 20, (40, 48, 3))
        Image.fromarray(np.uint8(pixels.clip(0, 255))).save(folder / f"m{i}.png")
    splits = ["train"] * 8 + ["validation"] * 4
    lines = [f"m{i}.png,{('red', 'yellow')[i % 2]},{s}" for i, s in enumerate(splits)]
    (folder / "tags.csv").write_text("\n".join(["image,tags,split", *lines]))
    config = dataclasses.replace(
        tagger_config, data_dir=str(folder), extend=str(tagger_run[0]), top_k=1
    )
    metrics, _, _ = train(config, tmp_path / "run")
    assert metrics["words"] == 2 and metrics["f1"] == 1.0
    words = json.loads((tmp_path / "run" / "tagger" / "words.json").read_text())
    assert words == ["blue", "green", "red", "yellow"]
    tags = np.load(tmp_path / "run" / "tagger" / "tags.npz")
    assert tags["tags"].shape == (32, 4) and tags["whitening_rows"] == 24
    again = dataclasses.replace(config, extend=str(tmp_path / "run"))
    train(again, tmp_path / "again")
    for name in ("run", "again"):  # the first run's, however often it is extended
        encoder = tmp_path / name / "tagger" / "encoder.npz"
        assert same_arrays(encoder, tagger_run[0] / "tagger" / "encoder.npz")
    vectors = np.load(tmp_path / "again" / "tagger" / "vectors.npy")
    np.testing.assert_array_equal(vectors[24:32], vectors[32:])
    other = dataclasses.replace(config, components=4)
    with pytest.raises(ValueError, match="components=8"):
        train(other, tmp_path / "other")
    other = dataclasses.replace(config, tagger="mbrm", flip=False)
    with pytest.raises(ValueError, match="tagger=means"):
        train(other, tmp_path / "other")


@pytest.mark.parametrize("task", ["all", "captioner"])
def test_extending_with_a_captioner_is_refused(task, tagger_config, tmp_path):
    config = dataclasses.replace(tagger_config, task=task, extend=str(tmp_path))
    with pytest.raises(ValueError, match="--task=tagger with --extend"):
        train(config, tmp_path / "run")
    assert not (tmp_path / "run").exists()


def test_what_serving_is_told_comes_back(tagger_run, tagger_config, tmp_path):
    """As after a kill right behind the export."""
    workdir = shutil.copytree(tagger_run[0], tmp_path / "run")
    path = workdir / "export" / "models.config"
    told = path.read_text()
    path.unlink()
    train(tagger_config, workdir)
    assert path.read_text() == told
    assert not (workdir / "export" / "tagger" / "2").exists()


def test_workdir_of_another_run_is_not_touched(tagger_run, tagger_config):
    other = dataclasses.replace(tagger_config, codebook=5)
    with pytest.raises(ValueError, match="--codebook=4"):
        train(other, tagger_run[0])


def test_a_finished_run_is_not_taken_for_one_of_other_data(
    tagger_run, tagger_config, tmp_path, no_exports
):
    workdir = shutil.copytree(tagger_run[0], tmp_path / "run")
    folder = shutil.copytree(tagger_config.data_dir, tmp_path / "images")
    config = dataclasses.replace(tagger_config, data_dir=str(folder))
    tags = (folder / "tags.csv").read_text()
    (folder / "tags.csv").write_text(tags.replace("\n1.png,green", "\n1.png,red"))
    with pytest.raises(ValueError, match="their tags have changed since the tagger in"):
        train(config, workdir)
    # What nothing was made of yet may change.
    shutil.rmtree(workdir / "tagger")
    (workdir / "tagger").mkdir()
    (workdir / "tagger" / "data.json").write_text("{}")
    train(config, workdir)
    # The tagger reads no captions.
    captions = folder / "captions.csv"
    captions.write_text(captions.read_text().replace("all over", "everywhere"))
    train(config, workdir)


def test_places_are_expanded_and_a_task_can_be_chosen(
    tagger_run, tagger_config, tmp_path, monkeypatch
):
    monkeypatch.setenv("HOME", str(tmp_path))
    monkeypatch.chdir(tmp_path)
    (tmp_path / "images").symlink_to(tagger_config.data_dir)
    places = {"data_dir": "~/images", "cache_dir": "~/cache"}
    evaluate(tagger_run[0], "test", task="tagger", **places)
    assert {path.name for path in tmp_path.iterdir()} == {"images", "cache"}
    with pytest.raises(FileNotFoundError, match="no trained captioner yet"):
        evaluate(tagger_run[0], "test", task="captioner", **places)


def test_two_processes_do_not_train_in_one_workdir(tagger_config, tmp_path):
    fcntl = pytest.importorskip("fcntl")
    with open(tmp_path / ".lock", "ab") as file:
        fcntl.flock(file, fcntl.LOCK_EX)
        with pytest.raises(BlockingIOError, match=f"{tmp_path} is being worked on by"):
            train(tagger_config, tmp_path)
    assert [path.name for path in tmp_path.iterdir()] == [".lock"]


@pytest.mark.slow
def test_a_bad_image_of_the_scored_split_is_no_dead_end(tagger_config, tmp_path):
    """The training is done when it is found; the run goes on without the image."""
    images = shutil.copytree(tagger_config.data_dir, tmp_path / "images")
    config = dataclasses.replace(tagger_config, data_dir=str(images))
    (images / "31.png").write_bytes(b"no image")
    with pytest.raises(ValueError, match="31.png: .*"):
        train(config, tmp_path / "run", "test")
    metrics, _ = evaluate(tmp_path / "run", "test", skip_bad_images=True)
    assert metrics["tagger_images"] == 5
    again = dataclasses.replace(config, skip_bad_images=True)
    assert train(again, tmp_path / "run", "test")[0] == metrics
    # The folder may move, too.
    images.rename(tmp_path / "moved")
    moved, _ = evaluate(
        tmp_path / "run",
        "test",
        data_dir=str(tmp_path / "moved"),
        cache_dir=str(tmp_path / "cache"),
    )
    assert moved == metrics
