"""The history of validation scores in a checkpoint, of this version and of 0.1."""

import json

import pytest
import tensorflow as tf

from annotator.config import Config
from annotator.runs.heads import TAGGER
from annotator.runs.run import Run
from annotator.training.loop import TrainingLoop


class Loop(TrainingLoop):
    """Learns nothing; the scores of its epochs are given."""

    steps_per_epoch = 1

    def __init__(self, run, given):
        super().__init__(run, TAGGER)
        self.given = given
        self.epochs = len(given)
        self._keep([], [])

    def _begin_epoch(self, epoch, done):
        return (lambda epoch: (1.0, {"loss": 0.0})), [()] * (1 - done)

    def _validate(self, epoch):
        return self.given[epoch]

    def _keep_weights(self):
        pass

    def _finished(self, scores):
        return len(scores) >= len(self.given)


GIVEN = [[0.0, 0.0, -1 / 3], [0.0, 1e-300, 0.0], [0.1, 0.2, 0.0]]


@pytest.fixture
def run(tmp_path):
    return Run(Config(checkpoint_steps=1), tmp_path)


def test_scores_come_back_from_a_checkpoint_to_the_bit(run):
    Loop(run, GIVEN).fit()
    again = Loop(run, GIVEN)
    again.fit()
    assert again._scores() == GIVEN and int(again.step.numpy()) == 3


def test_a_checkpoint_of_version_0_1_goes_on(run):
    old = Loop(run, GIVEN)
    old.history.assign(json.dumps([0.25, 1.1e-12]))
    old.step.assign(2)
    old._checkpoint()
    new = Loop(run, GIVEN)
    new.fit()
    assert new._scores() == [[0.25], [1.1e-12], GIVEN[2]]
    assert (
        tf.train.load_checkpoint(run.files.checkpoints("tagger")).get_tensor(
            "step/.ATTRIBUTES/VARIABLE_VALUE"
        )
        == 3
    )
