"""Progress as libraries report it: a bar a stage, unless a command has better."""

import sys
from collections.abc import Iterable, Iterator, Sequence
from typing import Any, Protocol, TypeVar

import tqdm

from annotator.terminal.plan import Stage

# The kinds of stages, as plans and bars call them.
FEATURES = "features of"
SAMPLING = "sampling descriptors of"
FITTING = "fitting"
ENCODING = "encoding"
EPOCH = "epoch"
DRAFTING = "drafting captions of"
CAPTIONING = "captioning"
TAGGING = "tagging"
SCORING = "scoring"
EXPORTING = "exporting"

Item = TypeVar("Item")


class Running(Protocol):
    """A stage that runs, a context manager."""

    def __enter__(self) -> Any: ...

    def __exit__(self, *error: Any) -> Any: ...

    def update(self, n: int = 1) -> Any:
        """Says that `n` more were done."""

    def set_postfix_str(self, s: str) -> Any:
        """Says what else there is to be seen, such as a loss."""


class Progress(Protocol):
    """What a run tells of how far it is."""

    def expect(self, stages: Sequence[Stage]) -> None:
        """Takes the plan of the run.

        Args:
            stages: Its stages, in order.
        """

    def stage(
        self, kind: str, detail: str = "", total: int = 1, unit: str = "", done: int = 0
    ) -> Running:
        """Begins a stage.

        Args:
            kind: What is done, one of the kinds of this module.
            detail: Of what.
            total: Of how many steps.
            unit: What they count.
            done: How many of them are done already.
        """


class Bars:
    """A bar of its own for each stage; those of one step have none."""

    def expect(self, stages: Sequence[Stage]) -> None:
        """Nothing follows from a plan."""

    def stage(
        self, kind: str, detail: str = "", total: int = 1, unit: str = "", done: int = 0
    ) -> Running:
        """Begins a stage; see `Progress`."""
        if not unit:
            return tqdm.tqdm(disable=True)
        return bar(f"{kind} {detail}".strip(), total, unit, done)


class NoBars(Bars):
    """Nothing is shown."""

    def stage(
        self, kind: str, detail: str = "", total: int = 1, unit: str = "", done: int = 0
    ) -> Running:
        """Begins a stage; see `Progress`."""
        return super().stage(kind, detail)


def bar(name: str, total: int, unit: str, done: int = 0) -> tqdm.tqdm:
    """A bar on stderr; in a file or a pipe, a line a minute.

    Args:
        name: What stands before it.
        total: Of how many steps.
        unit: What they count.
        done: How many of them are done already.
    """
    seconds = 0.1 if sys.stderr.isatty() else 60.0
    return tqdm.tqdm(
        total=total, initial=done, desc=name, unit=unit, mininterval=seconds
    )


def track(items: Iterable[Item], running: Running) -> Iterator[Item]:
    """Hands items on and counts those that are done.

    Args:
        items: The items.
        running: The stage that they are the steps of; it ends with them.

    Yields:
        The items.
    """
    with running:
        for item in items:
            yield item
            running.update()
