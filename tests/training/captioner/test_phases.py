import pytest

from annotator.config import Config
from annotator.training.captioner.phases import (
    finished,
    first_self_critical_epoch,
    is_best,
)
from annotator.training.captioner.selection import check_selection, selection_score


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


def test_the_score_that_picks_the_weights_must_be_there(monkeypatch):
    scores = {"bleu_4": 0.2, "cider": None, "missing": {"cider": "install this"}}
    assert selection_score(Config(select_by="bleu_4"), scores) == 0.2
    with pytest.raises(ValueError, match="--select_by=cider: install this"):
        selection_score(Config(select_by="cider"), scores)
    check_selection(Config(select_by="bleu_4"))
    monkeypatch.setattr("importlib.util.find_spec", lambda name: None)
    with pytest.raises(ValueError, match="--select_by=cider: .*coco"):
        check_selection(Config(select_by="cider"))
