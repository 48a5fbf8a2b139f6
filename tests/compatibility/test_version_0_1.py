"""What version 0.1 left behind: runs, finished and interrupted, and exported models.

`version_0_1.tar.xz` holds 16 images of 16 x 16 pixels and two workdirs that version 0.1
made of them with the same settings: one it finished, one that was stopped after the
second of six steps of its captioner.
"""

import dataclasses
import json
import tarfile

import keras
import numpy as np
import pytest
import tensorflow as tf

import annotator.layers  # noqa: F401  (what .keras files are made of)
from annotator.runs.heads import TASKS
from annotator.runs.run import Run
from annotator.training import run as training
from annotator.training.run import train_run


@pytest.fixture(scope="module")
def old(tmp_path_factory, request):
    """The folder of what the archive holds."""
    folder = tmp_path_factory.mktemp("version_0_1")
    with tarfile.open(request.path.parent / "version_0_1.tar.xz") as archive:
        archive.extractall(folder, filter="data")
    return folder


def run_of(old, name):
    return Run.open(
        old / name, data_dir=str(old / "images"), cache_dir=str(old / "cache")
    )


def captions_of(workdir):
    return json.loads((workdir / "metrics" / "validation_captions.json").read_text())


def weights(workdir, task):
    return keras.saving.load_model(workdir / task / f"{task}.keras").get_weights()


def files_of(folder):
    """Path -> content of all files in a folder."""
    return {p: p.read_bytes() for p in folder.rglob("*") if p.is_file()}


@pytest.mark.slow
def test_an_interrupted_run_goes_on_to_the_end_it_would_have_had(old):
    run = run_of(old, "interrupted")
    metrics, _, _ = train_run(run)
    assert captions_of(old / "interrupted") == captions_of(old / "finished")
    expected = json.loads((old / "finished/metrics/validation.json").read_text())
    for name in ("f1", "cider", "bleu_1"):
        assert metrics[name] == pytest.approx(expected[name])
    for task in TASKS:
        ours, theirs = (
            weights(old / name, task.name) for name in ("interrupted", "finished")
        )
        for one, other in zip(ours, theirs, strict=True):
            np.testing.assert_allclose(one, other, atol=1e-5)


def test_a_finished_run_is_exported_anew_and_not_trained(old, monkeypatch):
    """The exports lack what teaches the tagger, and how probable captions are."""
    exported, scored = [], []
    for task, stages in training.STAGES.items():

        def export(run, task=task):
            exported.append(task)
            return [run.files.export / "the new one"]

        stages = dataclasses.replace(stages, export=export)
        monkeypatch.setitem(training.STAGES, task, stages)

    def evaluate_run(run, split):
        scored.append(split)
        return {}, ""

    monkeypatch.setattr(training, "evaluate_run", evaluate_run)
    workdir = old / "finished"
    models = [workdir / task.name / f"{task.name}.keras" for task in TASKS]
    before = [path.read_bytes() for path in models]
    _, _, exports = train_run(run_of(old, "finished"))
    assert [path.read_bytes() for path in models] == before
    assert exported == list(TASKS) and scored == ["validation"]
    assert exports == 2 * [workdir / "export" / "the new one"]


@pytest.mark.slow
def test_a_finished_run_is_left_as_it_is(old):
    written = captions_of(old / "finished")
    models = [old / "finished" / t.name / f"{t.name}.keras" for t in TASKS]
    before = [path.read_bytes() for path in models]
    exported = files_of(old / "finished/export/tagger/1")
    _, _, exports = train_run(run_of(old, "finished"))
    assert captions_of(old / "finished") == written
    assert [path.read_bytes() for path in models] == before
    # Both are exported anew, with what it takes to teach the tagger and with how
    # probable a caption's words are.
    assert [path.name for path in exports if path.is_dir()] == ["2", "2"]
    assert files_of(old / "finished/export/tagger/1") == exported


@pytest.mark.parametrize("task", ["tagger", "captioner"])
def test_exported_models_say_what_they_said(task, old):
    folder = old / "finished" / "export" / task / "1"
    written = captions_of(old / "finished")
    encoded = [(old / "images" / c["image_id"]).read_bytes() for c in written]
    served = tf.saved_model.load(folder).signatures["serving_default"](
        image_bytes=tf.constant(encoded)
    )
    images = np.stack([tf.io.decode_png(image, 3) for image in encoded])
    model = keras.saving.load_model(folder / f"{task}.keras")
    predicted = model(images)
    for name, values in served.items():
        if values.dtype == tf.string:
            np.testing.assert_array_equal(predicted[name], values)
        else:
            np.testing.assert_allclose(predicted[name], values, rtol=1e-4)
    if task == "captioner":
        said = [caption.decode() for caption in served["captions"].numpy()]
        assert said == [caption["caption"] for caption in written]
        # How sure it was is no probability that was fitted to anything.
        assert not any("probabilit" in name for name in (*served, *predicted))
