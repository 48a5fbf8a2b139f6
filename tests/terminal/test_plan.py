"""The plan of a run: what is left, told by a clock of the test."""

import pytest

from annotator.terminal.plan import Plan, Stage, spoken


class Clock:
    def __init__(self):
        self.now = 100.0

    def __call__(self):
        return self.now


@pytest.fixture
def clock():
    return Clock()


def plan_of(clock, *stages):
    return Plan([Stage(*stage) for stage in stages], clock)


def test_estimates_that_hold_give_the_time_that_is_left(clock):
    plan = plan_of(clock, ("a", "x", 100.0), ("b", "", 300.0))
    assert plan.remaining() == 400 and plan.fraction() == 0
    plan.begin("a", "x")
    clock.now += 25
    plan.advance(0.25)
    assert plan.remaining() == 375 and plan.fraction() == 25 / 400
    clock.now += 75
    plan.begin("b")
    assert plan.remaining() == 300 and plan.fraction() == 0.25
    clock.now += 300
    plan.end()
    assert plan.remaining() == 0 and plan.fraction() == 1


def test_what_is_measured_corrects_its_kind_and_then_the_others(clock):
    plan = plan_of(
        clock, ("a", "x", 1e4), ("b", "x", 1e4), ("a", "y", 1e4), ("c", "", 1e4)
    )
    plan.begin("a", "x")
    clock.now += 2e4  # half as fast
    plan.begin("b", "x")
    assert plan.remaining() == pytest.approx(6e4, rel=1e-2)
    clock.now += 4e4
    plan.begin("a", "y")
    # The second of its kind as the first; of a kind never seen, as the mean of both.
    assert plan.remaining() == pytest.approx(2e4 + 3e4, rel=1e-2)


def test_a_slow_first_step_does_not_frighten(clock):
    plan = plan_of(clock, ("epoch", "1", 200.0), ("epoch", "2", 200.0))
    plan.begin("epoch", "1")
    clock.now += 20  # for the first of 400 steps: it was traced
    plan.advance(1 / 400)
    assert plan.remaining() < 2 * 400
    for step in range(2, 401):
        clock.now += 0.5
        plan.advance(step / 400)
    assert plan.remaining() == pytest.approx(220, rel=0.05)


def test_stages_that_are_passed_over_were_not_needed(clock):
    plan = plan_of(clock, ("a", "", 10.0), ("b", "1", 10.0), ("b", "2", 10.0))
    plan.begin("b", "2")
    assert plan.remaining() == 10
    plan.begin("never planned")
    assert plan.remaining() == 0


def test_what_was_done_before_is_no_speed(clock):
    plan = plan_of(clock, ("a", "", 100.0))
    plan.begin("a", "", fraction=0.9)
    assert plan.remaining() == pytest.approx(10)
    clock.now += 5
    plan.advance(0.95)
    assert plan.remaining() == pytest.approx(5)


def test_the_fraction_never_falls(clock):
    plan = plan_of(clock, ("a", "", 100.0), ("b", "", 100.0))
    plan.begin("a")
    clock.now += 100
    plan.begin("b")
    before = plan.fraction()
    clock.now += 1000  # b is far slower
    plan.advance(0.1)
    assert plan.fraction() == before == 0.5


def test_durations_are_spoken():
    assert [spoken(x) for x in (0.4, 59.4, 59.6, 3570, 12000)] == [
        *("0 s", "59 s", "1 min", "1 h 0 min", "3 h 20 min"),
    ]
