"""The plan of a run: its stages, and how long those that are left may take."""

import dataclasses
import time
from collections.abc import Callable, Sequence

# Seconds for which an estimate stands against what is measured: the first step of a
# stage waits for what is traced, and tells little of the others.
_PATIENCE = 20.0


@dataclasses.dataclass(frozen=True)
class Stage:
    """A part of a run.

    Attributes:
        kind: What is done, such as `"features of"`; stages of a kind are equally fast.
        detail: Of what, such as `"flickr8k train"`.
        seconds: How long it takes, as far as can be told beforehand.
    """

    kind: str
    detail: str
    seconds: float

    @property
    def name(self) -> str:
        """Kind and detail, as a person reads them."""
        return f"{self.kind} {self.detail}".strip()


class Plan:
    """Stages in the order in which they come, with estimates that are corrected.

    What a stage took is compared with its estimate. The quotient corrects the estimates
    of all stages of its kind; of a kind of which little was seen, that of the others
    does.

    A stage that is not begun when a later one begins was not needed. One that was not
    planned is no part of the estimates.

    Args:
        stages: The stages.
        clock: Function that returns seconds.
    """

    def __init__(
        self, stages: Sequence[Stage] = (), clock: Callable[[], float] = time.monotonic
    ) -> None:
        self._stages = list(stages)
        self._clock = clock
        self._start = clock()
        self._position = 0  # of the stage that runs, or the next one
        self._begun: float | None = None
        self._first = self._fraction = 0.0
        self._largest = 0.0
        self._measured: dict[str, list[float]] = {}  # kind: seconds, those expected

    def begin(self, kind: str, detail: str = "", fraction: float = 0.0) -> None:
        """Begins a stage; ends the one before.

        Args:
            kind: Of the stage.
            detail: Of the stage.
            fraction: How much of it was done already.
        """
        self.end()
        for i in range(self._position, len(self._stages)):
            stage = self._stages[i]
            if (stage.kind, stage.detail) == (kind, detail):
                self._position = i
                self._begun = self._clock()
                self._first = self._fraction = fraction
                return

    def advance(self, fraction: float) -> None:
        """Says how much of the stage is done, 0 to 1."""
        self._fraction = min(max(fraction, self._fraction), 1.0)

    def end(self) -> None:
        """Ends the stage that runs, if any."""
        if self._begun is None:
            return
        self._fraction = 1.0
        stage = self._stages[self._position]
        measured = self._measured.setdefault(stage.kind, [0.0, 0.0])
        for i, value in enumerate(self._running(stage)):
            measured[i] += value
        self._position += 1
        self._begun = None
        self._first = self._fraction = 0.0

    def elapsed(self) -> float:
        """Seconds since the plan was made."""
        return self._clock() - self._start

    def remaining(self) -> float:
        """Seconds that are left, as far as can be told."""
        seen = {kind: list(pair) for kind, pair in self._measured.items()}
        left = self._stages[self._position :]
        if self._begun is not None:
            pair = seen.setdefault(left[0].kind, [0.0, 0.0])
            for i, value in enumerate(self._running(left[0])):
                pair[i] += value
        seconds = 0.0
        for i, stage in enumerate(left):
            share = 1.0 - self._fraction if i == 0 else 1.0
            seconds += share * stage.seconds * _quotient(stage.kind, seen)
        return seconds

    def fraction(self) -> float:
        """How much of the run is done, 0 to 1; it never falls."""
        elapsed, remaining = self.elapsed(), self.remaining()
        if elapsed > 0:
            self._largest = max(self._largest, elapsed / (elapsed + remaining))
        return self._largest

    def _running(self, stage):
        """Seconds that a stage has run, and those expected for what was done."""
        begun = self._clock() if self._begun is None else self._begun
        done = self._fraction - self._first
        return self._clock() - begun, done * stage.seconds


def _quotient(kind, seen):
    """How much slower a kind is than expected: as was seen of it, or else of others."""
    own = seen.get(kind, (0.0, 0.0))
    others = [sum(pair[i] for k, pair in seen.items() if k != kind) for i in (0, 1)]
    before = (others[0] + _PATIENCE) / (others[1] + _PATIENCE)
    return (own[0] + _PATIENCE * before) / (own[1] + _PATIENCE)


def spoken(seconds: float) -> str:
    """A duration as a person says it: `"40 s"`, `"12 min"`, `"3 h 20 min"`.

    Args:
        seconds: The duration.
    """
    if seconds < 59.5:
        return f"{seconds:.0f} s"
    minutes = round(seconds / 60)
    if minutes < 60:
        return f"{minutes} min"
    return f"{minutes // 60} h {minutes % 60} min"
