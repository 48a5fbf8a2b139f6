"""A watchdog that ends a process in which nothing moves, not even the interpreter."""

import contextlib
import ctypes
import faulthandler
import os
import sys
import time
from typing import Any

_MONOTONIC = 1  # CLOCK_MONOTONIC
_IN_A_THREAD = 2  # SIGEV_THREAD
_EXIT_CODE = 2
_GRACE = 1.0  # seconds from where the threads are to the message, and on to the end


class Watchdog(contextlib.AbstractContextManager):
    """Ends the process with exit code 2 unless it is told in time that all goes on.

    Where threads wait for each other, one of them with Python's lock, no Python code
    runs any more. So it is the C library's timers that write the message and end the
    process, each in a new thread that needs no Python. What was written to files
    before stays.

    Where there are no such timers, Python's `faulthandler` ends it, with exit code 1.

    Args:
        seconds: How long it may go without `alive`.
        message: What is written to stderr then, behind where each thread is.
    """

    def __init__(self, seconds: float, message: str) -> None:
        self.seconds = seconds
        self._message = ctypes.create_string_buffer(
            message.encode("utf-8", "surrogateescape").replace(b"%", b"%%")
        )
        self._timers: list[tuple[Any, float]] = []
        self._next = 0.0

    def __enter__(self) -> "Watchdog":
        with contextlib.suppress(AttributeError, OSError):
            c = ctypes.CDLL(None, use_errno=True)
            end = ctypes.cast(c._exit, ctypes.c_void_p).value
            write = ctypes.cast(c.warnx, ctypes.c_void_p).value
            timers = [
                (
                    _timer(c, write, ctypes.addressof(self._message)),
                    self.seconds + _GRACE,
                ),
                (_timer(c, end, _EXIT_CODE), self.seconds + 2 * _GRACE),
            ]
            self._library, self._timers = c, timers
        self._next = 0.0
        self.alive()
        return self

    def alive(self) -> None:
        """Says that something was done; costs next to nothing."""
        now = time.monotonic()
        if now < self._next:
            return
        self._next = now + min(1.0, self.seconds / 10)
        for timer, seconds in self._timers:
            _set(self._library, timer, seconds)
        with contextlib.suppress(ValueError, OSError, AttributeError):  # no stderr
            faulthandler.dump_traceback_later(
                self.seconds, exit=not self._timers, file=sys.stderr
            )

    def __exit__(self, *error: object) -> None:
        faulthandler.cancel_dump_traceback_later()
        for timer, _ in self._timers:
            self._library.timer_delete(timer)
        self._timers = []


class _Event(ctypes.Structure):
    """`struct sigevent`, whose function is called with its value."""

    _fields_ = [
        ("value", ctypes.c_void_p),
        ("signal", ctypes.c_int),
        ("notify", ctypes.c_int),
        ("function", ctypes.c_void_p),
        ("attributes", ctypes.c_void_p),
        ("padding", ctypes.c_byte * 32),
    ]


class _Time(ctypes.Structure):
    """`struct itimerspec`: the period, none, and the time until it ends."""

    _fields_ = [(name, ctypes.c_long) for name in ("a", "b", "seconds", "nanoseconds")]


def _timer(library, function, value):
    timer = ctypes.c_void_p()
    event = _Event(value=value, notify=_IN_A_THREAD, function=function)
    if library.timer_create(_MONOTONIC, ctypes.byref(event), ctypes.byref(timer)):
        raise OSError(ctypes.get_errno(), os.strerror(ctypes.get_errno()))
    return timer


def _set(library, timer, seconds):
    whole = int(seconds)
    until = _Time(seconds=whole, nanoseconds=int((seconds - whole) * 1e9))
    library.timer_settime(timer, 0, ctypes.byref(until), None)
