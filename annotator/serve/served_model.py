"""A SavedModel whose callers' images are computed together."""

import concurrent.futures
import dataclasses
import math
import os
import threading
import time
from collections.abc import Sequence

import numpy as np
import tensorflow as tf

from annotator.images.claimed import claimed_pixels
from annotator.images.errors import message

# The last is what becomes of an error whose message quotes bytes that are not UTF-8.
_REFUSALS = (tf.errors.InvalidArgumentError, UnicodeDecodeError)
# An image with more pixels is computed beside the others, and they do not wait for it;
# a batch has no more of them than that, either.
_LARGE = 1 << 24


class BrokenInput(ValueError):
    """An input that the model refuses; the message says why."""


class Overloaded(RuntimeError):
    """More inputs wait than may, or one needs more memory than there is.

    Args:
        message: What is said of it.
        seconds: When there may be room, from now on.

    Attributes:
        seconds: The same, at least 1.
    """

    def __init__(self, message: str, seconds: float = 1) -> None:
        super().__init__(message)
        self.seconds = max(1, math.ceil(seconds))


@dataclasses.dataclass(frozen=True, eq=False)
class _Waiting:
    """One row of somebody's input, and where its answer goes."""

    signature: str
    row: bytes | np.ndarray
    turn: int
    pixels: int
    future: concurrent.futures.Future = dataclasses.field(
        default_factory=concurrent.futures.Future
    )

    @property
    def key(self):
        """Rows with the same key can stand in one batch."""
        return self.signature, np.shape(self.row)


class ServedModel:
    """Runs the signatures of a SavedModel for many callers at a time.

    What arrives while a batch is computed waits and goes next, in one batch: no caller
    waits for a batch to fill up. Callers take turns, however many rows each has, and
    large images are computed by a thread of their own. If a batch fails, its halves are
    tried, down to the inputs that are to blame; with images that is cheap, since the
    graph decodes all of them before it computes anything else. Rows whose future is
    canceled are left out.

    Args:
        folder: A SavedModel whose signatures take one input, `[batch, ...]`.
        max_batch: Rows computed together.
        max_waiting: Rows that may wait.
        max_seconds: How long a row may have to wait, by the pace of the last ones.

    Attributes:
        inputs: Dict from signature to the `tf.TensorSpec` of its input.
    """

    def __init__(
        self,
        folder: str | os.PathLike,
        max_batch: int = 32,
        max_waiting: int = 1024,
        max_seconds: float = math.inf,
    ) -> None:
        self.max_batch = max_batch
        self.max_waiting = max_waiting
        self.max_seconds = max_seconds
        self._model = tf.saved_model.load(str(folder))
        self.inputs: dict[str, tf.TensorSpec] = {}
        for name, function in self._model.signatures.items():
            _, specs = function.structured_input_signature
            (self.inputs[name],) = specs.values()
        self._queue: list[_Waiting] = []
        self._changed = threading.Condition()
        self._closed = False
        self._turn = 0
        self._pace = 0.0  # seconds a row
        self._warm: set[str] = set()  # the first batch of a signature sets up more
        for large in (False, True):
            threading.Thread(target=self._work, args=[large], daemon=True).start()

    @property
    def waiting(self) -> int:
        """Rows that wait."""
        return len(self._queue)

    def submit(
        self, signature: str, rows: Sequence[bytes | np.ndarray]
    ) -> list[concurrent.futures.Future]:
        """Puts rows in the queue.

        Args:
            signature: A key of `inputs`.
            rows: The signature's inputs, `bytes` or arrays, without the batch.

        Returns:
            A future for each row. Its result is a dict of arrays, a row of each output,
            or it raises `BrokenInput`, or `Overloaded` if memory is short.

        Raises:
            Overloaded: When too many rows wait already, or would have to wait too long.
        """
        pixels = [claimed_pixels(row) if isinstance(row, bytes) else 0 for row in rows]
        with self._changed:
            if self._closed:
                raise Overloaded("The model is being shut down.")
            self._drop_canceled()
            seconds = len(self._queue) * self._pace
            crowded = len(self._queue) + len(rows) > self.max_waiting
            if crowded or seconds > self.max_seconds:
                raise Overloaded(
                    f"{len(self._queue)} inputs wait, for about {seconds:.0f} s; at "
                    f"most {self.max_waiting} may, for {self.max_seconds:g} s. Try "
                    "again later.",
                    seconds,
                )
            waiting = [
                _Waiting(signature, row, self._turn + index, size)
                for index, (row, size) in enumerate(zip(rows, pixels, strict=True))
            ]
            self._queue.extend(waiting)
            self._changed.notify_all()
        return [row.future for row in waiting]

    def close(self) -> None:
        """Takes no more rows; those that wait are still answered."""
        with self._changed:
            self._closed = True
            self._changed.notify_all()

    def _drop_canceled(self):
        self._queue = [row for row in self._queue if not row.future.cancelled()]

    def _work(self, large):
        while batch := self._next_batch(large):
            batch = [row for row in batch if row.future.set_running_or_notify_cancel()]
            start = time.monotonic()
            self._answer(batch)
            if batch and batch[0].signature in self._warm:
                pace = (time.monotonic() - start) / len(batch)
                self._pace += 0.2 * (pace - self._pace)
            self._warm |= {row.signature for row in batch}

    def _next_batch(self, large):
        """Rows of the same kind, fewest turns first; none at the end."""

        def mine():
            return [row for row in self._queue if (row.pixels > _LARGE) == large]

        with self._changed:
            while True:
                self._changed.wait_for(lambda: mine() or self._closed)
                self._drop_canceled()
                if mine() or self._closed:  # not all have been canceled
                    break
            batch: list[_Waiting] = []
            pixels = 0
            for waiting in sorted(mine(), key=lambda row: row.turn):
                pixels += waiting.pixels
                if batch and (pixels > _LARGE or len(batch) == self.max_batch):
                    break
                if not batch or waiting.key == batch[0].key:
                    batch.append(waiting)
            if batch:
                self._turn = max(self._turn, batch[0].turn)
            taken = set(map(id, batch))
            self._queue = [row for row in self._queue if id(row) not in taken]
            return batch

    def _answer(self, batch):
        if not batch:
            return
        try:
            outputs = self._call(batch)
        except Exception as error:  # whatever it is, the thread lives on for others
            if len(batch) > 1:
                half = len(batch) // 2
                self._answer(batch[:half])
                self._answer(batch[half:])
            elif isinstance(error, _REFUSALS):
                reason = message(error)
                batch[0].future.set_exception(BrokenInput(reason))
            elif isinstance(error, tf.errors.ResourceExhaustedError):
                batch[0].future.set_exception(
                    Overloaded("The memory does not suffice. Try again later.")
                )
            else:
                batch[0].future.set_exception(error)
        else:
            for index, waiting in enumerate(batch):
                waiting.future.set_result(
                    {name: values[index] for name, values in outputs.items()}
                )

    def _call(self, batch):
        signature = batch[0].signature
        spec = self.inputs[signature]
        rows = tf.constant([waiting.row for waiting in batch], spec.dtype)
        function = self._model.signatures[signature]
        # Not `function(rows)`: of each refusal, Python would look up which lines made
        # the node, and a request may have a hundred images that are broken.
        values = tf.raw_ops.StatefulPartitionedCall(
            args=[rows, *function.captured_inputs],
            Tout=[output.dtype for output in function.outputs],
            f=function,
        )
        outputs = tf.nest.pack_sequence_as(function.structured_outputs, values)
        return {name: value.numpy() for name, value in outputs.items()}
