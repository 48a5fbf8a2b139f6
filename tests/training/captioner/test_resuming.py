"""A captioner's training that was killed ends as one that was not."""

import dataclasses

import keras
import numpy as np
import pytest
import tensorflow as tf

from annotator.runs.run import Run
from annotator.training.captioner import fit as captioner_training
from annotator.training.captioner import trainer as captioner_loop
from annotator.training.captioner.batches import CaptionBatches
from annotator.training.captioner.inputs import captioner_inputs
from annotator.training.run import train


class Killed(BaseException):
    """Stands for SIGKILL: nothing may handle it."""


@pytest.mark.slow
@pytest.mark.parametrize("steps", [1, 4, 7, 11])
def test_killed_at_any_step_ends_with_the_same_weights(
    steps, captioner_run, captioner_config, tmp_path, monkeypatch, weights
):
    stream = CaptionBatches.stream

    def dying_stream(self, epoch, start, drafts, strategy):
        done = epoch * len(self) + start
        for batch in stream(self, epoch, start, drafts, strategy):
            if done == steps:
                raise Killed
            done += 1
            yield batch

    def other_inputs(*args):
        inputs = captioner_inputs(*args)
        keras.utils.set_random_seed(99)  # features on disk take no chance, others do
        return inputs

    with monkeypatch.context() as patch, pytest.raises(Killed):
        patch.setattr(captioner_training, "captioner_inputs", other_inputs)
        patch.setattr(CaptionBatches, "stream", dying_stream)
        train(captioner_config, tmp_path)
    metrics, _, _ = train(captioner_config, tmp_path)
    assert metrics == captioner_run[1]
    for one, other in zip(weights(tmp_path), weights(captioner_run[0]), strict=True):
        np.testing.assert_array_equal(one, other)


@pytest.mark.slow
def test_killed_in_the_validation_of_an_epoch_ends_with_the_same_weights(
    captioner_run, captioner_config, tmp_path, monkeypatch, weights
):
    """Then the last checkpoint is of the end of that epoch: 4 steps, one every 2."""
    trainer = captioner_loop.CaptionerTrainer
    validate = trainer._validate

    def dying(self, epoch):
        if epoch == 1:
            raise Killed
        return validate(self, epoch)

    save, saved = tf.train.CheckpointManager.save, []

    def watched(self, *args, **kwargs):
        saved.append(save(self, *args, **kwargs))
        return saved[-1]

    monkeypatch.setattr(tf.train.CheckpointManager, "save", watched)
    with monkeypatch.context() as patch, pytest.raises(Killed):
        patch.setattr(trainer, "_validate", dying)
        train(captioner_config, tmp_path)
    metrics, _, _ = train(captioner_config, tmp_path)
    # Written over the last one, a checkpoint might be lost to a kill.
    assert len(set(saved)) == len(saved) > 6
    assert metrics == captioner_run[1]
    for one, other in zip(weights(tmp_path), weights(captioner_run[0]), strict=True):
        np.testing.assert_array_equal(one, other)


@pytest.fixture
def rewarded_config(captioner_config):
    """Two epochs on references and one on rewards, of 4 steps each."""
    return dataclasses.replace(
        captioner_config,
        epochs=2,
        feedback_start=0,
        self_critical_epochs=1,
        self_critical_samples=3,
        self_critical_rate=0.01,
    )


@pytest.mark.slow
@pytest.mark.parametrize("finetune", [False, True])
def test_rewards_are_learned_from_the_best_weights_on(
    finetune, rewarded_config, tmp_path, monkeypatch
):
    """Of the two epochs before, the first one is the better here."""
    trainer = captioner_loop.CaptionerTrainer
    learn, validate, seen = trainer._learn_rewards, trainer._validate, []
    config = dataclasses.replace(
        rewarded_config,
        finetune_backbone=finetune,
        convolution_rate=1.0,
        captioner_tap="block3_conv3" if finetune else rewarded_config.captioner_tap,
    )

    def all_weights(self):
        backbone = self.inputs.backbone.get_weights() if finetune else []
        return [*self.captioner.get_weights(), *backbone]

    def watched_validate(self, epoch):
        seen.append(all_weights(self))
        return validate(self, epoch)

    def watched_learn(self, *args):
        seen.append(all_weights(self))
        return learn(self, *args)

    def score(captions, references, meteor):
        given = {"bleu_4": 0.9 - 0.1 * len(seen), "cider": None}
        given["ngram_matches"] = [4, 3, 2, 1]
        return given | {"bleu_1": 0.0, "rouge_l": 0.0, "distinct_captions": 1.0}

    monkeypatch.setattr(trainer, "_validate", watched_validate)
    monkeypatch.setattr(trainer, "_learn_rewards", watched_learn)
    monkeypatch.setattr(captioner_loop, "score_captions", score)
    captioner_training.train_captioner(Run(config, tmp_path))
    first, second, start, *_, last = seen
    assert len(seen) == 2 + 4 + 1

    def equal(one, other):
        return all(np.array_equal(a, b) for a, b in zip(one, other, strict=True))

    assert equal(start, first) and not equal(start, second) and not equal(start, last)
    for one, other in zip(first[-2:], second[-2:], strict=True):
        assert not np.array_equal(one, other)  # the backbone's too, if it learns


@pytest.mark.slow
def test_killed_while_learning_rewards_ends_with_the_same_weights(
    rewarded_config, tmp_path, monkeypatch, weights
):
    trainer = captioner_loop.CaptionerTrainer
    learn = trainer._learn_rewards

    def dying(self, *args):
        if int(self.step.numpy()) == 11:
            raise Killed
        return learn(self, *args)

    captioner_training.train_captioner(Run(rewarded_config, tmp_path / "undisturbed"))
    with monkeypatch.context() as patch, pytest.raises(Killed):
        patch.setattr(trainer, "_learn_rewards", dying)
        captioner_training.train_captioner(Run(rewarded_config, tmp_path / "killed"))
    captioner_training.train_captioner(Run(rewarded_config, tmp_path / "killed"))
    killed, undisturbed = (
        weights(tmp_path / name) for name in ("killed", "undisturbed")
    )
    for one, other in zip(killed, undisturbed, strict=True):
        np.testing.assert_array_equal(one, other)
