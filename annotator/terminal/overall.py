"""One bar for a whole run, with the time that is left."""

import contextlib
import sys
import time
from collections.abc import Callable, Sequence
from typing import Any, TextIO

import tqdm

from annotator.terminal.plan import Plan, Stage, spoken

_STEPS = 1000  # of the bar
_QUIET_SECONDS = 60.0  # between lines where there is no terminal
_REFRESH_SECONDS = 0.2


class OverallProgress:
    """The progress of a run: a `Progress`, and a context manager.

    On a terminal it is a bar on stderr; what is printed to stdout meanwhile stands
    above it. Elsewhere it is a line for each stage, and one a minute within a stage.

    Args:
        stream: Where it is written, by default stderr.
        clock: Function that returns seconds.
    """

    def __init__(
        self, stream: TextIO | None = None, clock: Callable[[], float] = time.monotonic
    ) -> None:
        self._stream = stream or sys.stderr
        self._clock = clock
        self._plan = Plan(clock=clock)
        self._bar: tqdm.tqdm | None = None
        self._last = -_QUIET_SECONDS
        self._exits = contextlib.ExitStack()

    def __enter__(self) -> "OverallProgress":
        if self._stream.isatty():
            self._bar = tqdm.tqdm(
                total=_STEPS,
                file=self._stream,
                bar_format="{percentage:3.0f}%|{bar:24}| {desc}",
                dynamic_ncols=True,
                miniters=_STEPS + 1,  # drawn by `_show` alone
            )
            above = _AboveBars(sys.stdout)
            self._exits.enter_context(contextlib.redirect_stdout(above))
            self._exits.callback(above.finish)
        return self

    def __exit__(self, *error: Any) -> None:
        self._exits.close()
        if self._bar is not None:
            if error[0] is None:
                self._bar.n = _STEPS
                self._bar.set_description_str(f"{spoken(self._plan.elapsed())}")
            self._bar.close()
            self._bar = None

    def expect(self, stages: Sequence[Stage]) -> None:
        """Takes the plan of the run.

        Args:
            stages: Its stages, in order.
        """
        self._plan = Plan(stages, self._clock)

    def stage(
        self, kind: str, detail: str = "", total: int = 1, unit: str = "", done: int = 0
    ) -> "RunningStage":
        """Begins a stage; see `Progress`.

        Args:
            kind: What is done.
            detail: Of what.
            total: Of how many steps.
            unit: What they count.
            done: How many of them are done already.
        """
        self._plan.begin(kind, detail, done / max(total, 1))
        running = RunningStage(self, f"{kind} {detail}".strip(), total, unit, done)
        self.show(running, begins=True)
        return running

    def show(
        self, running: "RunningStage", begins: bool = False, ends: bool = False
    ) -> None:
        """Shows how far a stage is, if it is time to.

        Args:
            running: The stage.
            begins: Whether it begins.
            ends: Whether it ends.
        """
        self._plan.advance(running.done / max(running.total, 1))
        if ends:
            self._plan.end()
        now = self._clock()
        pause = _QUIET_SECONDS if self._bar is None else _REFRESH_SECONDS
        if not begins and now - self._last < pause:
            return
        if ends and self._bar is None:  # the line of the next stage says it
            return
        self._last = now
        left = spoken(self._plan.remaining())
        fraction = self._plan.fraction()
        if self._bar is None:
            line = f"[{100 * fraction:.0f} %, about {left} left] {running.name}"
            # A stage that begins has nothing more to say.
            self._stream.write(line + ("" if begins else running.counts()) + "\n")
            self._stream.flush()
            return
        self._bar.n = round(_STEPS * fraction)
        self._bar.set_description_str(
            f"{spoken(self._plan.elapsed())}, about {left} left: "
            f"{running.name}{running.counts()}"
        )


class RunningStage:
    """A stage of an `OverallProgress`; see `Running`.

    Args:
        owner: The progress of the run.
        name: Name of the stage.
        total: Of how many steps.
        unit: What they count.
        done: How many of them are done.
    """

    def __init__(
        self, owner: OverallProgress, name: str, total: int, unit: str, done: int
    ) -> None:
        self._owner = owner
        self.name = name
        self.total = total
        self.done = done
        self._unit = unit
        self._postfix = ""

    def __enter__(self) -> "RunningStage":
        return self

    def __exit__(self, *error: Any) -> None:
        if error[0] is None:
            self.done = self.total
            self._owner.show(self, ends=True)

    def update(self, n: int = 1) -> None:
        """Says that `n` more were done."""
        self.done += n
        self._owner.show(self)

    def set_postfix_str(self, s: str) -> None:
        """Says what else there is to be seen."""
        self._postfix = s

    def counts(self) -> str:
        """How far it is, as text behind its name."""
        if not self._unit:
            return ""
        postfix = f", {self._postfix}" if self._postfix else ""
        return f", {self._unit} {self.done}/{self.total}{postfix}"


class _AboveBars:
    """A text stream whose whole lines are written above the bars."""

    def __init__(self, stream):
        self._stream = stream
        self._line = ""

    def write(self, text):
        *lines, self._line = (self._line + text).split("\n")
        for line in lines:
            tqdm.tqdm.write(line, file=self._stream)
        return len(text)

    def flush(self):
        self._stream.flush()

    def finish(self):
        """Writes what no line's end has come behind."""
        self._stream.write(self._line)
        self._line = ""

    def __getattr__(self, name):
        return getattr(self._stream, name)
