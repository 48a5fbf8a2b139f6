"""A SavedModel whose callers' images are computed together."""

import collections
import concurrent.futures
import dataclasses
import os
import threading
from collections.abc import Sequence

import numpy as np
import tensorflow as tf

from annotator.images.errors import message

# The last is what becomes of an error whose message quotes bytes that are not UTF-8.
_REFUSALS = (tf.errors.InvalidArgumentError, UnicodeDecodeError)


class BrokenInput(ValueError):
    """An input that the model refuses; the message says why."""


class Overloaded(RuntimeError):
    """More inputs wait than may, or one needs more memory than there is."""


@dataclasses.dataclass(frozen=True)
class _Waiting:
    """One row of somebody's input, and where its answer goes."""

    signature: str
    row: bytes | np.ndarray
    future: concurrent.futures.Future = dataclasses.field(
        default_factory=concurrent.futures.Future
    )

    @property
    def key(self):
        """Rows with the same key can stand in one batch."""
        return self.signature, np.shape(self.row)


class ServedModel:
    """Runs the signatures of a SavedModel for many callers at a time.

    One thread computes. What arrives meanwhile waits and goes next, in one batch: no
    caller waits for a batch to fill up. If a batch fails, its halves are tried, down to
    the inputs that are to blame; with images that is cheap, since the graph decodes all
    of them before it computes anything else.

    Args:
        folder: A SavedModel whose signatures take one input, `[batch, ...]`.
        max_batch: Rows computed together.
        max_waiting: Rows that may wait.

    Attributes:
        inputs: Dict from signature to the `tf.TensorSpec` of its input.
    """

    def __init__(
        self,
        folder: str | os.PathLike,
        max_batch: int = 32,
        max_waiting: int = 1024,
    ) -> None:
        self.max_batch = max_batch
        self.max_waiting = max_waiting
        self._model = tf.saved_model.load(str(folder))
        self.inputs: dict[str, tf.TensorSpec] = {}
        for name, function in self._model.signatures.items():
            _, specs = function.structured_input_signature
            (self.inputs[name],) = specs.values()
        self._queue: collections.deque[_Waiting] = collections.deque()
        self._changed = threading.Condition()
        self._closed = False
        threading.Thread(target=self._work, daemon=True).start()

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
            Overloaded: When too many rows wait already.
        """
        waiting = [_Waiting(signature, row) for row in rows]
        with self._changed:
            if self._closed:
                raise Overloaded("The model is being shut down.")
            if len(self._queue) + len(waiting) > self.max_waiting:
                raise Overloaded(
                    f"{len(self._queue)} inputs wait; at most {self.max_waiting} may. "
                    "Try again later."
                )
            self._queue.extend(waiting)
            self._changed.notify()
        return [row.future for row in waiting]

    def close(self) -> None:
        """Takes no more rows; those that wait are still answered."""
        with self._changed:
            self._closed = True
            self._changed.notify()

    def _work(self):
        while batch := self._next_batch():
            self._answer(
                [row for row in batch if row.future.set_running_or_notify_cancel()]
            )

    def _next_batch(self):
        with self._changed:
            self._changed.wait_for(lambda: self._queue or self._closed)
            batch: list[_Waiting] = []
            others: collections.deque[_Waiting] = collections.deque()
            for waiting in self._queue:
                fits = not batch or waiting.key == batch[0].key
                if fits and len(batch) < self.max_batch:
                    batch.append(waiting)
                else:
                    others.append(waiting)
            self._queue = others
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
        outputs = self._model.signatures[signature](**{spec.name: rows})
        return {name: value.numpy() for name, value in outputs.items()}
