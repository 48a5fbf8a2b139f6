"""How long a training took, over all the tries that it took."""

import contextlib
import pathlib
import time
from collections.abc import Iterator

from annotator import files
from annotator.runs.processor import processor


class Stopwatch:
    """Adds the seconds of a training to a file, JSON.

    The file has `seconds`, and `processors`, on which they were spent. It grows lap by
    lap: what a killed process had not written goes for the work that has to be done
    again. Features are shared by runs, and their extraction is paused over.
    """

    def __init__(self) -> None:
        self._path: pathlib.Path | None = None
        self._start = 0.0

    @contextlib.contextmanager
    def timing(self, path: pathlib.Path) -> Iterator[None]:
        """Times a block, also one that is left by an error.

        Args:
            path: The file that its seconds are added to.
        """
        self._path, self._start = path, time.monotonic()
        try:
            yield
        finally:
            self.lap()
            self._path = None

    def lap(self) -> None:
        """Writes the seconds since the last lap, inside a timed block; else nothing."""
        if self._path is None:
            return
        now = time.monotonic()
        so_far = files.read_json(self._path) if self._path.is_file() else {}
        files.write_json(
            self._path,
            {
                "seconds": so_far.get("seconds", 0.0) + now - self._start,
                "processors": sorted({*so_far.get("processors", ()), processor()}),
            },
        )
        self._start = now

    @contextlib.contextmanager
    def paused(self) -> Iterator[None]:
        """A block whose seconds are not counted."""
        self.lap()
        try:
            yield
        finally:
            self._start = time.monotonic()
