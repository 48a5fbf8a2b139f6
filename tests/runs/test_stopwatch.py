"""Seconds of a training, added up over its tries."""

import json
import types

import pytest

from annotator.runs import stopwatch
from annotator.runs.processor import processor


@pytest.fixture
def clock(monkeypatch):
    """A clock that is set by hand."""
    times = {"now": 100.0}
    clock = types.SimpleNamespace(monotonic=lambda: times["now"])
    monkeypatch.setattr(stopwatch, "time", clock)
    return times


def seconds(path):
    return json.loads(path.read_text())["seconds"]


def test_tries_add_up_and_pauses_do_not_count(clock, tmp_path):
    watch, path = stopwatch.Stopwatch(), tmp_path / "tagger" / "training.json"
    with watch.timing(path):
        clock["now"] += 3
        with watch.paused():  # features are made
            clock["now"] += 50
        clock["now"] += 4
    assert seconds(path) == 7
    clock["now"] += 1000  # between two tries
    with pytest.raises(KeyboardInterrupt), stopwatch.Stopwatch().timing(path):
        clock["now"] += 2
        raise KeyboardInterrupt
    assert json.loads(path.read_text()) == {"seconds": 9, "processors": [processor()]}


def test_a_kill_loses_the_lap_that_is_done_again(clock, tmp_path):
    watch, path = stopwatch.Stopwatch(), tmp_path / "training.json"
    with watch.timing(path):
        clock["now"] += 5
        watch.lap()  # a checkpoint
        clock["now"] += 3
        assert seconds(path) == 5  # what a killed process leaves


def test_outside_of_a_training_nothing_is_timed(tmp_path):
    watch = stopwatch.Stopwatch()
    watch.lap()
    with watch.paused():
        pass
    assert not list(tmp_path.iterdir())


def test_other_processors_are_listed(tmp_path, monkeypatch):
    path = tmp_path / "training.json"
    for name in ("b", "a", "b"):
        monkeypatch.setattr(stopwatch, "processor", lambda name=name: name)
        with stopwatch.Stopwatch().timing(path):
            pass
    assert json.loads(path.read_text())["processors"] == ["a", "b"]
