"""The captioner's run on a small folder: files, logs, settings, refusals."""

import dataclasses
import json
import shutil

import numpy as np
import pytest
import tensorflow as tf
from tensorboard.backend.event_processing.event_accumulator import EventAccumulator

from annotator.metrics.captions import score_captions
from annotator.runs.heads import CAPTIONER
from annotator.runs.run import Run
from annotator.training.captioner import fit as captioner_training
from annotator.training.captioner import trainer as captioner_loop
from annotator.training.run import train


def test_writes_its_files(captioner_run):
    workdir, metrics, exports = captioner_run
    assert {"bleu_1", "bleu_4", "meteor_dialect", "cider"} <= set(metrics)
    assert metrics["captioner_images"] == 6
    captions = json.loads((workdir / "metrics/validation_captions.json").read_text())
    assert [set(entry) for entry in captions] == [{"image_id", "caption"}] * 6
    assert all(path.exists() for path in exports)
    assert list((workdir / "logs" / "captioner").iterdir())
    assert not {"<unk>", "<pad>"} & set(
        " ".join(c["caption"] for c in captions).split()
    )


def test_logs_scalars_captions_and_attention(captioner_run):
    logs = EventAccumulator(str(captioner_run[0] / "logs" / "captioner"))
    logs.Reload()

    def steps(name):
        return [event.step for event in logs.Tensors(name)]

    for name in ("loss", "learning_rate", "words_per_second"):
        assert steps(name) == [4, 8, 12]  # epochs of four steps
    for name in ("bleu_1", "bleu_4", "captions"):
        assert steps(f"validation/{name}") == [4, 8, 12]
    # The feedback joins in the second epoch; what was drawn before shows nothing.
    assert steps("validation/attention_0") == [8, 12]
    *_, png = logs.Tensors("validation/attention_3")[-1].tensor_proto.string_val
    assert tf.io.decode_png(png).shape[2] == 3


@pytest.mark.slow
def test_validation_that_tells_nothing_is_said_once(
    captioner_config, tmp_path, monkeypatch, capsys
):
    """Where nothing matches the loss decides; it is logged, and finite."""
    config = dataclasses.replace(captioner_config, rounds=0, patience=3)
    monkeypatch.setattr(captioner_loop, "generate", lambda *_: ["a"] * 6)
    trainer, scores = captioner_loop.CaptionerTrainer, []
    validate = trainer._validate

    def watched(self, epoch):
        scores.append(validate(self, epoch))
        return scores[-1]

    monkeypatch.setattr(trainer, "_validate", watched)
    captioner_training.train_captioner(Run(config, tmp_path))
    assert [score[:2] for score in scores] == [[0.0, 0.0]] * 3
    assert all(0 < -score[2] < 10 for score in scores)
    assert scores[2] > scores[0]  # it learns
    lines = capsys.readouterr().out.splitlines()
    warned = [line for line in lines if line.startswith("warning: ")]
    assert ["validation has 6 images" in line for line in warned] == [True, False]
    assert "epoch 1: no caption of 6 images shares" in warned[1]
    logs = EventAccumulator(str(tmp_path / "logs" / "captioner"))
    logs.Reload()
    assert [event.step for event in logs.Tensors("validation/loss")] == [4, 8, 12]


def test_metrics_are_those_of_the_captions_that_are_written(
    captioner_run, captioner_config
):
    workdir, metrics, _ = captioner_run
    captions = json.loads((workdir / "metrics/validation_captions.json").read_text())
    split = Run(captioner_config, workdir).split(CAPTIONER, "validation")
    assert [c["image_id"] for c in captions] == list(split.annotated.image_ids)
    scores = score_captions(
        [c["caption"] for c in captions], split.annotated.captions, meteor="none"
    )
    assert scores["bleu_1"] > 0
    for name in ("bleu_1", "bleu_4", "cider", "rouge_l", "mean_length"):
        assert metrics[name] == scores[name]


@pytest.mark.slow
@pytest.mark.parametrize(
    "settings",
    [
        {"decoder": "nic", "rounds": 0},
        {"rounds": 0},
        {"feedback": "causal"},
        {"rounds": 2, "layers": 3},
        {"decoder": "soft"},
        {"decoder": "hard", "rounds": 0},
        {"decoder": "log_bilinear", "rounds": 0},
        {"decoder": "brnn", "rounds": 0},
        {"schedule": "paper", "attention_regularizer": 1.0},
        {"finetune_backbone": True, "schedule": "paper"},
        {"jit_compile": True, "precision": "bfloat16"},
        {"caption_flip": True, "tied": True},
    ],
)
def test_other_captioners_and_settings(
    settings, captioner_config, image_folder, tmp_path
):
    config = dataclasses.replace(
        captioner_config, epochs=1, feedback_start=0, **settings
    )
    _, _, (saved_model, _) = train(config, tmp_path)
    captions = json.loads((tmp_path / "metrics/validation_captions.json").read_text())
    assert len(captions) == 6 and all(each["caption"] for each in captions)
    assert_served(saved_model, image_folder, captions)


@pytest.mark.slow
def test_the_backbone_learns_too_if_asked(captioner_config, image_folder, tmp_path):
    config = dataclasses.replace(
        captioner_config,
        finetune_backbone=True,
        convolution_rate=0.1,
        captioner_tap="block3_conv3",
        rounds=0,
        epochs=1,
    )
    metrics, _, (saved_model, _) = train(config, tmp_path)
    frozen = dataclasses.replace(config, finetune_backbone=False)
    given = Run(frozen, tmp_path).backbone(CAPTIONER)
    learned = Run(config, tmp_path).backbone(CAPTIONER)
    moved = [
        np.abs(one - other).max()
        for one, other in zip(given.get_weights(), learned.get_weights(), strict=True)
    ]
    assert min(moved) > 0
    # What is scored and exported is the learned backbone.
    captions = json.loads((tmp_path / "metrics/validation_captions.json").read_text())
    assert_served(saved_model, image_folder, captions)


def assert_served(saved_model, image_folder, captions):
    """Asserts that an export says of images what `captions` say."""
    encoded = [(image_folder / c["image_id"]).read_bytes() for c in captions]
    served = tf.saved_model.load(saved_model).signatures["serving_default"](
        image_bytes=tf.constant(encoded)
    )["captions"]
    assert [text.decode() for text in served.numpy()] == [
        c["caption"] for c in captions
    ]


def test_vocabulary_comes_from_training_captions_alone(captioner_run, image_folder):
    words = json.loads((captioner_run[0] / "captioner/vocabulary.json").read_text())
    assert set(words["words"]) == set(
        "a wall of red green blue beside all over".split()
    )


def test_another_vocabulary_in_the_workdir_is_refused(captioner_config, tmp_path):
    folder = tmp_path / "captioner"
    (folder / "checkpoints").mkdir(parents=True)
    (folder / "vocabulary.json").write_text('{"words": ["other"]}')
    with pytest.raises(ValueError, match=f"of {folder} was trained with another voc"):
        train(captioner_config, tmp_path)


@pytest.fixture
def other_folder(image_folder, tmp_path):
    """A copy of the images, whose annotations a test may change."""
    return shutil.copytree(image_folder, tmp_path / "images")


@pytest.mark.parametrize("task", ["captioner", "all"])
def test_data_without_captions_is_refused_at_once(
    task, captioner_config, tmp_path, other_folder
):
    (other_folder / "captions.csv").unlink()
    config = dataclasses.replace(
        captioner_config, task=task, data_dir=str(other_folder), cache_dir=str(tmp_path)
    )
    with pytest.raises(ValueError, match="no captions.* --task=tagger does without"):
        train(config, tmp_path / "run")
    assert not (tmp_path / "features").exists()


@pytest.mark.slow
def test_images_without_a_caption_are_left_out(
    captioner_config, tmp_path, other_folder, capsys, weights
):
    """Ten of 24 training images: whole batches of 6 would have nothing to learn."""
    path = other_folder / "captions.csv"
    without = {f"{i}.png" for i in (*range(10), 24)}
    lines = [line for line in path.read_text().splitlines(keepends=True)]
    path.write_text("".join(s for s in lines if s.split(",")[0] not in without))
    config = dataclasses.replace(
        captioner_config, data_dir=str(other_folder), epochs=1, rounds=0
    )
    metrics, _, _ = train(config, tmp_path / "run")
    assert metrics["captioner_images"] == 5
    said = capsys.readouterr().out
    assert "10 images without a caption are left out of folder train" in said
    assert all(np.isfinite(value).all() for value in weights(tmp_path / "run"))


def test_a_run_without_what_is_fitted_last_gets_it(
    captioner_run, captioner_config, tmp_path
):
    """One of an earlier version: its captioner is not trained again."""
    workdir = shutil.copytree(captioner_run[0], tmp_path / "run")
    path = workdir / "captioner" / "reranker.npz"
    probable = workdir / "captioner" / "word_probability.json"
    fitted, curve = dict(np.load(path)), json.loads(probable.read_text())
    path.unlink()
    probable.unlink()
    with pytest.warns(UserWarning, match="nothing to rank beams by"):
        without = Run(captioner_config, workdir).captioner()
    assert without.reranker is None and without.word_probability is None
    before = (workdir / "captioner" / "captioner.keras").stat()
    captioner_training.train_captioner(Run(captioner_config, workdir))
    assert (workdir / "captioner" / "captioner.keras").stat() == before
    for name, array in np.load(path).items():
        np.testing.assert_array_equal(array, fitted[name])
    again = json.loads(probable.read_text())
    for name in ("slope", "offset"):
        assert again.pop(name) == pytest.approx(curve.pop(name), rel=1e-3)
    assert again == curve
    config = dataclasses.replace(captioner_config, rerank_weight=7.0)
    assert Run(config, workdir).captioner().reranker.beam_weight == 7.0
    config = dataclasses.replace(captioner_config, rerank=False)
    assert Run(config, workdir).captioner().reranker is None
