"""Whose rows go next: callers take turns, and nobody waits for a large image."""

import concurrent.futures
import math
import sys
import threading

import pytest

from annotator.serve.served_model import Overloaded, ServedModel


class Slow:
    """A `ServedModel` whose batches wait until they are let go."""

    def __new__(cls, **options):
        class Model(ServedModel):
            def __init__(self):
                self.gate, self.batches = threading.Semaphore(0), []
                self.max_batch = options.pop("max_batch", 4)
                self.max_waiting = options.pop("max_waiting", 1000)
                self.max_seconds = options.pop("max_seconds", math.inf)
                self._queue, self._changed = [], threading.Condition()
                self._closed, self._turn, self._pace = False, 0, 0.0
                self._warm = set()
                for large in (False, True):
                    threading.Thread(
                        target=self._work, args=[large], daemon=True
                    ).start()

            def _call(self, batch):
                self.batches.append([row.row for row in batch])
                self.gate.acquire()
                return {"row": [row.row for row in batch]}

        return Model()


def test_callers_take_turns(until):
    model = Slow()
    first = model.submit("s", [b"0"])
    until(lambda: model.batches)
    many = model.submit("s", [b"m%d" % i for i in range(12)])
    few = model.submit("s", [b"f0", b"f1"])
    model.gate.release(100)
    concurrent.futures.wait([*first, *many, *few])
    assert model.batches[1] == [b"m0", b"f0", b"m1", b"f1"]
    assert model.batches[2] == [b"m2", b"m3", b"m4", b"m5"]
    model.close()


def test_nobody_waits_for_a_large_image(until):
    large = b"\x89PNG\r\n\x1a\n\0\0\0\rIHDR" + (8000).to_bytes(4, "big") * 2
    model = Slow()
    slow = model.submit("s", [large] * 3)
    until(lambda: model.batches)
    quick = model.submit("s", [b"small"] * 2)
    until(lambda: len(model.batches) == 2)
    assert model.batches == [[large], [b"small"] * 2]
    model.gate.release(100)
    concurrent.futures.wait([*slow, *quick])
    model.close()


def test_canceled_rows_are_left_out(until):
    model = Slow()
    first = model.submit("s", [b"0"])
    until(lambda: model.batches)
    gone = model.submit("s", [b"gone"] * 8)
    last = model.submit("s", [b"last"])
    for future in gone:
        assert future.cancel()
    model.gate.release(100)
    concurrent.futures.wait([*first, *last])
    assert model.batches == [[b"0"], [b"last"]] and not model.waiting
    model.close()


def test_any_number_of_canceled_rows_may_come_one_after_the_other():
    model = Slow()
    model.close()  # its threads end
    model._closed, futures = False, []

    class Canceled(threading.Condition):
        """What waits is canceled before it is seen, but for the last."""

        def wait_for(self, predicate, timeout=None):
            futures.extend(model.submit("s", [b"%d" % len(futures)]))
            if len(futures) <= sys.getrecursionlimit():
                futures[-1].cancel()
            return predicate()

    model._changed = Canceled()
    (row,) = model._next_batch(large=False)
    assert row.future is futures[-1] and len(futures) > sys.getrecursionlimit()


def test_a_wait_that_would_be_too_long_is_refused(until):
    model = Slow(max_seconds=5.0, max_waiting=100)
    model._pace = 2.0
    model.submit("s", [b"0"] * 7)
    until(lambda: model.waiting == 3)  # four are computed
    with pytest.raises(Overloaded, match="3 inputs wait, for about 6 s") as caught:
        model.submit("s", [b"1"])
    assert caught.value.seconds == 6
    model.gate.release(100)
    model.close()
