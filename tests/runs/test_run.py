"""A run makes what belongs to it once: counted, not believed."""

import collections
import dataclasses

import keras
import numpy as np
import pytest

from annotator.config import Config
from annotator.evaluation.run import evaluate
from annotator.features import extraction
from annotator.runs import run as run_module
from annotator.runs.heads import CAPTIONER, TAGGER
from annotator.runs.run import Run
from annotator.training.run import train


@pytest.fixture
def builds(monkeypatch):
    """A list that gets the taps of every backbone that is built."""
    taps, build = [], run_module.build_backbone

    def counted(name, tap, *args, **kwargs):
        taps.append(tap)
        return build(name, tap, *args, **kwargs)

    monkeypatch.setattr(run_module, "build_backbone", counted)
    return taps


@pytest.fixture
def hashed(monkeypatch):
    """A counter of the passes over the files of each split."""
    from annotator.datasets.image_files import ImageFiles

    passes, states = collections.Counter(), ImageFiles.states

    def counted(self):
        passes[self.paths] += 1
        return states(self)

    monkeypatch.setattr(ImageFiles, "states", counted)
    return passes


def test_both_tasks_read_what_is_made_once(captioner_config, tmp_path, builds, hashed):
    config = dataclasses.replace(
        captioner_config,
        task="all",
        tap="block1_conv1",
        captioner_tap="block1_conv2",
        cache_dir=str(tmp_path / "cache"),
    )
    run = Run(config, tmp_path / "run")
    for _ in range(2):
        for task in (TAGGER, CAPTIONER):
            assert all(len(run.split(task, name)) for name in ("train", "test"))
    assert sorted(builds) == ["block1_conv1", "block1_conv2"]
    # Each split once, whatever reads it.
    assert len(hashed) == 2 and set(hashed.values()) == {1}


@pytest.mark.slow
def test_a_frozen_run_of_both_tasks(captioner_config, tmp_path, builds, hashed):
    config = dataclasses.replace(
        captioner_config,
        task="all",
        tap="block3_conv2",
        decoder="nic",
        epochs=1,
        rounds=0,
        caption_flip=True,
        cache_dir=str(tmp_path / "cache"),
    )
    train(config, tmp_path / "run", "test")
    assert len(builds) <= 3 and set(builds) == {"block3_conv2", "block4_conv2"}
    # Training, validation and test: each once, whatever reads it.
    assert len(hashed) == 3 and set(hashed.values()) == {1}


def test_one_backbone_where_both_read_one_layer(captioner_config, tmp_path, builds):
    config = dataclasses.replace(captioner_config, task="all")
    run = Run(config, tmp_path)
    assert run.backbone(TAGGER) is run.backbone(CAPTIONER)
    assert builds == ["block4_conv2"]


def test_a_backbone_that_is_trained_is_not_shared(captioner_config, tmp_path):
    config = dataclasses.replace(captioner_config, task="all", finetune_backbone=True)
    run = Run(config, tmp_path)
    trained = run.trainable_backbone(CAPTIONER)
    assert trained is not run.trainable_backbone(CAPTIONER)
    run.files.task("captioner").mkdir()
    kernel = next(iter(trained.trainable_weights))
    kernel.assign_add(np.ones(kernel.shape))
    trained.save(run.files.backbone("captioner"))
    given, learned = run.backbone(TAGGER), run.backbone(CAPTIONER)
    assert given is not learned
    moved = learned.get_weights()[0] - given.get_weights()[0]
    np.testing.assert_allclose(moved, 1.0, rtol=1e-5)


@pytest.mark.slow
def test_evaluating_loads_a_model_once(captioner_run, monkeypatch):
    loaded, load = collections.Counter(), keras.saving.load_model

    def counted(path, *args, **kwargs):
        loaded[path.name] += 1
        return load(path, *args, **kwargs)

    monkeypatch.setattr(keras.saving, "load_model", counted)
    evaluate(captioner_run[0], "test", shown=2, attention=2)
    assert loaded == {"captioner.keras": 1}


def test_what_is_made_once_is_kept(captioner_run, captioner_config, monkeypatch):
    run = Run(captioner_config, captioner_run[0])
    assert run.captioner() is run.captioner()
    assert run.annotated("test") is run.annotated("test")
    split = run.split(CAPTIONER, "validation")
    monkeypatch.setattr(extraction, "extract", None)
    assert run.split(CAPTIONER, "validation") is split


def test_the_folder_tells_its_run(captioner_run, captioner_config, tmp_path):
    run = Run.open(captioner_run[0], cache_dir=str(tmp_path), data_dir=None)
    assert run.config == dataclasses.replace(captioner_config, cache_dir=str(tmp_path))
    assert run.is_trained(CAPTIONER) and not run.is_trained(TAGGER)
    with pytest.raises(FileNotFoundError, match="holds no run"):
        Run.open(tmp_path / "nothing")


def test_places_become_absolute_and_precision_definite(monkeypatch, tmp_path):
    monkeypatch.chdir(tmp_path)
    run = Run(Config(data_dir="images", backbone_weights="w.h5"), "run")
    assert run.config.data_dir == str(tmp_path / "images")
    assert run.config.backbone_weights == str(tmp_path / "w.h5")
    assert run.config.precision in ("float32", "bfloat16")
    assert run.config.cache_dir
