"""Trainings that learn the validation images too, and so have none to select by."""

import contextlib
import dataclasses
import io
import json

import keras
import numpy as np
import pytest

from annotator.evaluation.run import evaluate, evaluate_run
from annotator.evaluation.scores import predict_scores
from annotator.runs import settings_file
from annotator.runs.heads import CAPTIONER, TAGGER
from annotator.runs.run import Run
from annotator.training import run as training
from annotator.training.captioner import fit as captioner_training
from annotator.training.captioner import trainer as captioner_loop
from annotator.training.captioner.inputs import captioner_inputs
from annotator.training.run import train
from annotator.training.tagger import finetune
from annotator.training.tagger.fit import train_tagger

BOTH = "train+validation"


def forbid_validation(patch):
    """Lets it fail that the validation split is read by itself."""
    annotated = Run.annotated

    def watched(self, split):
        assert split != "validation"
        return annotated(self, split)

    patch.setattr(Run, "annotated", watched)


@pytest.fixture
def unseen(monkeypatch):
    forbid_validation(monkeypatch)


@pytest.fixture(scope="module")
def both(tagger_config, tmp_path_factory):
    """`(run, metrics, table, said)` of a tagger that learned the images of both."""
    config = dataclasses.replace(tagger_config, train_split=BOTH)
    run = Run(config, tmp_path_factory.mktemp("both"))
    said = io.StringIO()
    with pytest.MonkeyPatch.context() as patch, contextlib.redirect_stdout(said):
        forbid_validation(patch)
        train_tagger(run)
        metrics, table = evaluate_run(run, "test")
    return run, metrics, table, said.getvalue()


def test_the_tagger_learns_the_rows_of_both(both):
    run, metrics, table, _ = both
    with np.load(run.files.tags) as arrays:
        tags = arrays["tags"]
    np.testing.assert_array_equal(tags, run.annotated(BOTH).tags)
    assert len(tags) == 30
    assert metrics["tagger_images"] == 6 and "tell nothing" not in table


def test_parts_of_training_tell_how_probable_its_tags_are(both):
    run, _, _, said = both
    assert "training images tell how probable tags are" in said
    split = run.split(TAGGER, BOTH)
    tags = split.annotated.tags
    found = run.calibration()(predict_scores(run.tagger(), split, 8)).numpy()
    assert found[tags].mean() > found[~tags].mean()


def test_what_is_left_to_score_by_is_the_test_split(tagger_config, tmp_path, unseen):
    class Scored(Exception):
        pass

    def evaluate_run(run, split):
        raise Scored(split)

    config = dataclasses.replace(tagger_config, train_split=BOTH)
    with pytest.MonkeyPatch.context() as patch, pytest.raises(Scored, match="^test$"):
        patch.setattr(training, "evaluate_run", evaluate_run)
        patch.setattr(training, "_complete", lambda run, task: [])
        patch.setattr(training.serving_files, "write_config", lambda folder: None)
        train(config, tmp_path)


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
