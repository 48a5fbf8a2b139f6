"""A tagger trained down to the pixels: it learns, resumes, and is exported."""

import dataclasses
import shutil

import keras
import numpy as np
import pytest
import tensorflow as tf

import annotator.layers  # noqa: F401  (what .keras files are made of)
from annotator.runs.heads import TAGGER
from annotator.runs.run import Run
from annotator.training.run import train
from annotator.training.tagger.finetune import TaggerTrainer


@pytest.fixture(scope="module")
def config(tagger_config):
    """Two epochs of five steps, a checkpoint after every second.

    What concerns the captioner alone, like its feedback, is nothing to it.
    """
    return dataclasses.replace(
        tagger_config,
        tagger="finetuned",
        tap="block2_conv2",
        flip=False,
        tag_epochs=2,
        tag_batch=5,
        tag_rate=0.003,
        top_k=2,
        checkpoint_steps=2,
        rounds=1,
        feedback_start=3,
    )


@pytest.fixture(scope="module")
def run(config, tmp_path_factory):
    """`(workdir, metrics, exports)` of a finished training."""
    workdir = tmp_path_factory.mktemp("finetuned")
    metrics, _, exports = train(config, workdir)
    return workdir, metrics, exports


def models(workdir):
    names = ("tagger.keras", "backbone.keras")
    return [keras.saving.load_model(workdir / "tagger" / name) for name in names]


def assert_same_weights(workdir, other):
    for ours, theirs in zip(models(workdir), models(other), strict=True):
        for one, two in zip(ours.get_weights(), theirs.get_weights(), strict=True):
            np.testing.assert_array_equal(one, two)


def test_learns_and_writes_its_files(run, config):
    workdir, metrics, exports = run
    # Two words of three at random give 0.53, the best two 0.86.
    assert metrics["f1"] > 0.75 and metrics["tagger_images"] == 6
    assert list((workdir / "logs" / "tagger").iterdir())
    assert all(path.exists() for path in exports)
    _, backbone = models(workdir)
    frozen = dataclasses.replace(config, tagger="means")
    before = Run(frozen, workdir).backbone(TAGGER)
    for now, then in zip(backbone.get_weights(), before.get_weights(), strict=True):
        if then.ndim > 1:  # the kernels, down to the first
            assert np.abs(now - then).max() > 0


def test_export_equals_the_trained_models(run, config, image_folder):
    workdir, _, exports = run
    tagger, backbone = models(workdir)
    files = sorted(image_folder.glob("*.png"))[:3]
    encoded = [path.read_bytes() for path in files]
    (resize,) = TAGGER.views(config)
    views = tf.stack([resize(tf.io.decode_png(image)) for image in encoded])
    (maps,) = backbone(views, training=False).values()
    regions = tf.reshape(maps, [3, -1, maps.shape[-1]])
    expected = np.sort(tagger(tf.cast(regions, tf.float16)).numpy())[:, ::-1][:, :2]
    served = tf.saved_model.load(exports[0]).signatures["serving_default"]
    found = served(image_bytes=tf.constant(encoded))
    np.testing.assert_allclose(found["scores"], expected, rtol=1e-5, atol=1e-5)
    model = keras.saving.load_model(exports[1])
    predicted = model.predict(views, verbose=0)
    np.testing.assert_allclose(predicted["scores"], expected, rtol=1e-5, atol=1e-5)


class Killed(BaseException):
    """Stands for SIGKILL: nothing may handle it."""


@pytest.mark.parametrize(
    "where", ["step", pytest.param("validation", marks=pytest.mark.slow)]
)
def test_killed_ends_with_the_same_weights(
    where, run, config, tmp_path, monkeypatch, no_exports
):
    learn, validate, steps = TaggerTrainer._learn, TaggerTrainer._validate, []

    def dying_step(self, *batch):
        if where == "step" and len(steps) == 7:
            raise Killed
        steps.append(1)
        return learn(self, *batch)

    def dying_validation(self, epoch):
        if where == "validation" and epoch == 1:
            raise Killed
        return validate(self, epoch)

    with monkeypatch.context() as patch, pytest.raises(Killed):
        patch.setattr(TaggerTrainer, "_learn", dying_step)
        patch.setattr(TaggerTrainer, "_validate", dying_validation)
        train(config, tmp_path)
    assert not (tmp_path / "tagger" / "tagger.keras").exists()
    metrics, _, _ = train(config, tmp_path)
    assert metrics == run[1]
    assert_same_weights(tmp_path, run[0])


@pytest.mark.slow
def test_other_images_are_refused_while_it_trains(config, tmp_path, monkeypatch):
    def dying(self, epoch):
        raise Killed

    with monkeypatch.context() as patch, pytest.raises(Killed):
        patch.setattr(TaggerTrainer, "_validate", dying)
        train(config, tmp_path / "run")
    folder = shutil.copytree(config.data_dir, tmp_path / "images")
    moved = dataclasses.replace(config, data_dir=str(folder))
    lines = (folder / "tags.csv").read_text().splitlines()
    (row,) = [i for i, line in enumerate(lines) if line.startswith("1.png,")]
    del lines[row]
    (folder / "tags.csv").write_text("\n".join(lines))
    with pytest.raises(ValueError, match="have changed since"):
        train(moved, tmp_path / "run")


def test_an_epoch_sees_every_image_once_in_another_order(run, config):
    trainer = TaggerTrainer.__new__(TaggerTrainer)
    trainer.config, trainer.tags = config, np.zeros((24, 3), np.float32)
    first, second = trainer.rows(0), trainer.rows(1)
    for batches in (first, second):
        assert sorted(np.concatenate(batches)) == list(range(24))
        assert [len(batch) for batch in batches] == [5, 5, 5, 5, 4]
    assert np.concatenate(first).tolist() != np.concatenate(second).tolist()
    assert np.concatenate(first).tolist() == np.concatenate(trainer.rows(0)).tolist()


@pytest.mark.parametrize(
    ("settings", "told"),
    [({"flip": True}, "one view"), ({"extend": "runs/other"}, "train it anew")],
)
def test_settings_that_do_not_go_together(settings, told, config):
    with pytest.raises(ValueError, match=told):
        dataclasses.replace(config, **settings)
