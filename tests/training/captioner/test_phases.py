import pytest

from annotator.config import Config
from annotator.training.captioner.phases import (
    finished,
    first_self_critical_epoch,
    is_best,
)


def config(epochs, self_critical_epochs, patience=2, **settings):
    return Config(
        epochs=epochs,
        self_critical_epochs=self_critical_epochs,
        patience=patience,
        **{"rounds": 0, **settings},
    )


@pytest.mark.parametrize(
    ("scores", "first", "ended"),
    [
        ([], None, False),
        ([0.1, 0.2], None, False),
        ([0.1, 0.2, 0.3], 3, False),
        ([0.1, 0.2, 0.3, 0.1], 3, False),
        ([0.1, 0.2, 0.3, 0.1, 0.2], 3, True),
        # Out of patience after the first epoch's score stayed the best for two.
        ([0.5, 0.2], None, False),
        ([0.5, 0.2, 0.3], 3, False),
    ],
)
def test_three_epochs_then_two_of_rewards(scores, first, ended):
    assert first_self_critical_epoch(scores, config(3, 2)) == first
    assert finished(scores, config(3, 2)) is ended


@pytest.mark.parametrize(
    ("scores", "first", "ended"),
    [
        ([0.5, 0.2], None, False),
        ([0.5, 0.2, 0.1], 3, False),  # patience ends the first phase early
        # The second phase has patience of its own, from its own best score on.
        ([0.5, 0.2, 0.1, 0.4], 3, False),
        ([0.5, 0.2, 0.1, 0.4, 0.3], 3, False),
        ([0.5, 0.2, 0.1, 0.4, 0.3, 0.3], 3, True),
    ],
)
def test_patience(scores, first, ended):
    assert first_self_critical_epoch(scores, config(10, 10)) == first
    assert finished(scores, config(10, 10)) is ended


def test_rewards_alone_begin_at_once():
    alone = config(0, 2, init_from="runs/old")
    assert first_self_critical_epoch([], alone) == 0 and not finished([], alone)
    assert first_self_critical_epoch([0.1], alone) == 0
    assert finished([0.1, 0.2], alone)


def test_without_rewards_the_first_phase_is_all():
    assert not finished([0.1], config(2, 0))
    assert finished([0.1, 0.2], config(2, 0))
    assert finished([0.5, 0.2, 0.3], config(9, 0))


def test_epochs_before_the_feedback_joins_are_no_candidates():
    joining = config(9, 0, rounds=1, feedback_start=2)
    assert not is_best(0.9, [], joining) and not is_best(0.9, [0.1], joining)
    assert is_best(0.2, [0.5, 0.6], joining)
    assert is_best(0.3, [0.5, 0.6, 0.2], joining)
    assert not is_best(0.2, [0.5, 0.6, 0.2], joining)
    # Two epochs without a better score, of those that count.
    assert not finished([0.5, 0.6, 0.2, 0.1], joining)
    assert finished([0.5, 0.6, 0.2, 0.1, 0.1], joining)


def test_without_feedback_the_first_epoch_counts():
    assert is_best(0.1, [], config(9, 0, feedback_start=2))


def test_scores_of_several_numbers_are_compared_from_the_first_on():
    scores = [[0.0, 0.0, -3.0], [0.0, 0.0, -2.0], [0.0, 0.1, 0.0], [0.2, 0.0, 0.0]]
    for epoch, score in enumerate(scores):
        assert is_best(score, scores[:epoch], config(9, 0))
        assert not is_best(score, [*scores[:epoch], score], config(9, 0))
        for worse in scores[:epoch]:
            assert not is_best(worse, scores[: epoch + 1], config(9, 0))


def test_patience_waits_for_the_number_that_decides():
    still = [[0.0, 0.0, -3.0], [0.0, 0.0, -3.5], [0.0, 0.0, -3.1]]
    assert finished(still, config(9, 0))
    assert not finished([*still[:2], [0.0, 0.0, -2.9]], config(9, 0))
    # Better loss is no better score where four words matched before.
    assert finished([[0.1, 0.2, 0.0], *still[:2]], config(9, 0))


def test_scores_of_version_0_1_are_compared_with_those_of_today():
    """They were one number; see `TrainingLoop`."""
    old = [[0.1], [0.3]]
    assert is_best([0.31, 0.0, 0.0], old, config(9, 0))
    assert not is_best([0.29, 0.9, 0.0], old, config(9, 0))
    assert not finished(old, config(9, 0))
    assert finished([*old, [0.2, 0.1, 0.0], [0.0, 0.0, -1.0]], config(9, 0))
