"""--distill: a captioner that learns from a trained one beside the references."""

import dataclasses

import keras
import numpy as np
import pytest
import tensorflow as tf

from annotator.captioner import Vocabulary
from annotator.runs.run import Run
from annotator.runs.start import check_start
from annotator.training.captioner.fit import build_captioner
from annotator.training.captioner.inputs import captioner_inputs
from annotator.training.captioner.teacher import load_teacher
from annotator.training.captioner.trainer import CaptionerTrainer


@pytest.fixture
def distilling(captioner_run, captioner_config):
    return dataclasses.replace(
        captioner_config,
        distill=str(captioner_run[0]),
        distill_weight=0.4,
        rounds=0,
        dropout=0.0,
        label_smoothing=0.0,
    )


def test_a_step_learns_from_both(distilling, captioner_run, tmp_path):
    run, teacher = Run(distilling, tmp_path), Run.open(captioner_run[0]).captioner()
    check_start(run.config)
    keras.utils.set_random_seed(1)
    captioner = build_captioner(run, teacher.vocabulary)
    trainer = CaptionerTrainer(run, captioner, captioner_inputs(run))
    batch, tokens, _ = next(trainer.batches.stream(0, 0, None, trainer.strategy))
    plain = captioner.caption_loss(batch, tokens)
    real = tf.boolean_mask(tokens[..., 1:], tokens[..., 1:] != 0)
    expected = tf.nn.softmax(teacher.reference_logits(batch, tokens))
    log_probs = tf.nn.log_softmax(captioner.reference_logits(batch, tokens))
    divergence = tf.reduce_sum(expected * (tf.math.log(expected) - log_probs))
    words = tf.gather(log_probs, real, batch_dims=1)
    np.testing.assert_allclose(plain["loss"], -tf.reduce_sum(words), rtol=1e-4)
    sums = trainer.train_step(batch, tokens, None, trainer._seed(), False)
    loss = 0.6 * plain["loss"] + 0.4 * divergence
    np.testing.assert_allclose(sums["loss"], loss, rtol=1e-4)
    np.testing.assert_allclose(sums["cross_entropy"], plain["loss"], rtol=1e-4)


def test_the_teacher_is_checked(distilling, tmp_path):
    run = Run(distilling, tmp_path)
    captioner = build_captioner(run, Vocabulary(["wall"]))
    with pytest.raises(ValueError, match="--distill=.* words, this captioner 5, and"):
        load_teacher(run, captioner)
    alone = Run(dataclasses.replace(distilling, distill_weight=0.0), tmp_path)
    assert load_teacher(alone, captioner) is None
    with pytest.raises(ValueError, match="--distill=.*--scales=32.*--scales=48"):
        check_start(dataclasses.replace(distilling, scales=(48,)))
    with pytest.raises(FileNotFoundError, match=f"--distill={tmp_path}"):
        check_start(dataclasses.replace(distilling, distill=str(tmp_path)))
    with pytest.raises(ValueError, match="--finetune_backbone changes"):
        dataclasses.replace(distilling, finetune_backbone=True)
