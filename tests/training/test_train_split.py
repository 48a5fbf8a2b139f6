"""Trainings that learn the validation images too, and so have none to select by."""

import dataclasses
import json

import keras
import numpy as np
import pytest

from annotator.evaluation.run import evaluate
from annotator.runs import settings_file
from annotator.runs.heads import CAPTIONER, TAGGER
from annotator.runs.run import Run
from annotator.training.captioner import fit as captioner_training
from annotator.training.captioner import trainer as captioner_loop
from annotator.training.captioner.inputs import captioner_inputs
from annotator.training.run import train
from annotator.training.tagger import finetune

BOTH = "train+validation"


@pytest.fixture
def unseen(monkeypatch):
    """Fails when the validation split is read by itself."""
    annotated = Run.annotated

    def watched(self, split):
        assert split != "validation"
        return annotated(self, split)

    monkeypatch.setattr(Run, "annotated", watched)


def test_the_tagger_learns_the_rows_of_both(tagger_config, tmp_path, unseen):
    config = dataclasses.replace(tagger_config, train_split=BOTH)
    metrics, table, _ = train(config, tmp_path)
    with np.load(tmp_path / "tagger" / "tags.npz") as arrays:
        tags = arrays["tags"]
    np.testing.assert_array_equal(tags, Run(config, tmp_path).annotated(BOTH).tags)
    assert len(tags) == 30
    # What is left to score by is the test split.
    assert metrics["tagger_images"] == 6 and "tell nothing" not in table
    assert (tmp_path / "metrics" / "test.json").is_file()
    assert not (tmp_path / "metrics" / "validation.json").exists()


def test_scores_on_what_was_learned_say_so(tagger_run):
    _, table = evaluate(tagger_run[0], "train")
    assert "learned from --train_split=train: scores on train tell nothing" in table
    assert "learned from" not in evaluate(tagger_run[0], "validation")[1]


@pytest.mark.slow
def test_the_captioner_keeps_its_last_epoch(
    captioner_config, tmp_path, unseen, monkeypatch, capsys
):
    config = dataclasses.replace(
        captioner_config, train_split=BOTH, patience=1, caption_flip=True
    )
    trainer, epochs, last = captioner_loop.CaptionerTrainer, [], []
    keep = trainer._keep_weights

    def watched(self):
        epochs.append(int(self.step.numpy()))
        last[:] = self.captioner.get_weights()
        keep(self)

    monkeypatch.setattr(trainer, "_keep_weights", watched)
    monkeypatch.setattr(captioner_loop, "score_captions", None)
    captioner_training.train_captioner(Run(config, tmp_path))
    assert epochs == [5, 10, 15]  # 30 images, six a step
    model = keras.saving.load_model(tmp_path / "captioner" / "captioner.keras")
    for one, other in zip(model.get_weights(), last, strict=True):
        np.testing.assert_array_equal(one, other)
    said = capsys.readouterr().out
    assert said.count(f"--train_split={BOTH} leaves no images to select by") == 1
    assert "validation BLEU" not in said and "warning" not in said
    inputs = captioner_inputs(Run(config, tmp_path))
    assert inputs.validation is None and len(inputs.train) == 30
    references = inputs.train.annotated.captions
    assert sum("24.png" == name for name in inputs.train.annotated.image_ids) == 1
    assert len(references) == 30


@pytest.mark.slow
def test_rewards_go_on_from_the_last_epoch(captioner_config, tmp_path, unseen):
    config = dataclasses.replace(
        captioner_config,
        train_split=BOTH,
        epochs=2,
        patience=1,
        self_critical_epochs=2,
        self_critical_samples=2,
    )
    run = Run(config, tmp_path)
    captioner_training.train_captioner(run)
    assert run.is_trained(CAPTIONER)


@pytest.mark.slow
def test_a_tagger_that_is_trained_keeps_its_last_epoch(
    tagger_config, tmp_path, unseen, monkeypatch, capsys
):
    config = dataclasses.replace(
        tagger_config,
        train_split=BOTH,
        tagger="finetuned",
        tap="block2_conv2",
        flip=False,
        tag_epochs=2,
        tag_batch=10,
    )
    trainer, epochs = finetune.TaggerTrainer, []
    keep = trainer._keep_weights

    def watched(self):
        epochs.append(int(self.step.numpy()))
        keep(self)

    monkeypatch.setattr(trainer, "_keep_weights", watched)
    run = Run(config, tmp_path)
    finetune.finetune_tagger(run)
    assert epochs == [3, 6] and run.is_trained(TAGGER)
    assert "the weights of the last epoch are kept" in capsys.readouterr().out
    # Crops are taken from images that are larger than a view, here of both splits.
    assert run.pixels(TAGGER, BOTH).caches[0].shape[:2] == (37, 37)


def test_a_run_is_one_of_the_splits_it_learns(tagger_run, tagger_config, tmp_path):
    other = dataclasses.replace(tagger_config, train_split=BOTH)
    with pytest.raises(ValueError, match="--train_split=train. Continue it"):
        train(other, tagger_run[0])
    # A folder of before knows no such setting.
    values = json.loads((tagger_run[0] / "config.json").read_text())
    del values["train_split"]
    (tmp_path / "config.json").write_text(json.dumps(values))
    assert settings_file.load(tmp_path).train_split == "train"


def test_a_split_that_there_is_not_is_named_at_once(tagger_config, tmp_path):
    config = dataclasses.replace(tagger_config, train_split="train+dev")
    with pytest.raises(
        ValueError, match="'train\\+dev'; did you mean 'train\\+validation'"
    ):
        train(config, tmp_path / "run")
    assert not (tmp_path / "run").exists()
