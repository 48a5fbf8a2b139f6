"""The one bar of a run: on a terminal, and where there is none."""

import io
import re
import sys

import pytest

from annotator.terminal.overall import OverallProgress
from annotator.terminal.plan import Stage
from annotator.terminal.progress import Bars, NoBars, track
from tests.terminal.test_plan import Clock


class Terminal(io.StringIO):
    def isatty(self):
        return True


def work(progress, clock):
    progress.expect([Stage("a", "x", 100.0), Stage("b", "", 100.0)])
    for _ in track(range(10), progress.stage("a", "x", 10, "image")):
        clock.now += 10
    with progress.stage("b"):
        print("a score")
        clock.now += 100


def test_without_a_terminal_it_is_a_line_a_stage_and_one_a_minute():
    stream, clock = io.StringIO(), Clock()
    with OverallProgress(stream, clock) as progress:
        work(progress, clock)
    assert stream.getvalue().splitlines() == [
        "[0 %, about 3 min left] a x",
        "[30 %, about 2 min left] a x, image 6/10",
        "[50 %, about 2 min left] b",
    ]


def test_many_small_steps_write_nothing():
    stream, clock = io.StringIO(), Clock()
    with OverallProgress(stream, clock) as progress:
        for _ in track(range(1000), progress.stage("a", "", 1000, "step")):
            clock.now += 0.01
    assert len(stream.getvalue().splitlines()) == 1


def test_on_a_terminal_it_is_one_bar_below_what_is_printed(monkeypatch):
    stream, stdout, clock = Terminal(), io.StringIO(), Clock()
    monkeypatch.setattr(sys, "stdout", stdout)
    with OverallProgress(stream, clock) as progress:
        work(progress, clock)
    assert sys.stdout is stdout and stdout.getvalue() == "a score\n"
    shown = stream.getvalue()
    assert "40 s, about 3 min left: a x, image 4/10" in shown
    assert " 50%|" in shown and "b" in shown
    percents = [int(x) for x in re.findall(r"(\d+)%\|", shown)]
    assert percents == sorted(percents) and percents[-1] == 100
    assert shown.rstrip().endswith("| 3 min") and shown.count("\n") == 1


def test_an_error_leaves_the_bar_where_it_was():
    stream, clock = Terminal(), Clock()
    with pytest.raises(ValueError, match="broken"):
        with OverallProgress(stream, clock) as progress:
            progress.expect([Stage("a", "", 100.0)])
            with progress.stage("a", "", 10, "step") as running:
                clock.now += 50
                running.set_postfix_str("loss 2.5")
                running.update(5)
                raise ValueError("broken")
    assert "a, step 5/10, loss 2.5" in stream.getvalue()
    assert "100%" not in stream.getvalue()


def test_libraries_get_a_bar_a_stage(capsys):
    for progress, expected in ((Bars(), True), (NoBars(), False)):
        progress.expect([Stage("a", "x", 1.0)])
        assert list(track("abc", progress.stage("a", "x", 3, "letter"))) == [*"abc"]
        with progress.stage("b"):
            pass
        shown = capsys.readouterr().err
        assert ("a x: 100%" in shown and "3/3" in shown) == expected
        assert "b" not in shown


def test_what_is_printed_without_a_lines_end_is_not_lost(monkeypatch):
    stdout = io.StringIO()
    monkeypatch.setattr(sys, "stdout", stdout)
    with OverallProgress(Terminal(), Clock()):
        print("a line\nand half", end="")
    assert stdout.getvalue() == "a line\nand half"
