"""Processes that convert image files, so that none takes more than a picture may."""

import atexit
import contextlib
import os
import signal
import subprocess
import sys
import threading
from collections.abc import Iterator

from annotator.config.python_process import python_command
from annotator.images.claimed import MAX_PIXELS
from annotator.images.photos import converter_process
from annotator.images.photos.conversion import KINDS
from annotator.images.photos.converter_process import (
    ANSWER,
    MEGABYTES,
    REQUEST,
    SECONDS,
    share,
)

# Who sends these means no file.
_FROM_OUTSIDE = (signal.SIGKILL, signal.SIGTERM, signal.SIGHUP, signal.SIGINT)
# The content is held beside the pixels.
_MOST_BYTES = MEGABYTES << 19
# What decoders do not give back counts as the next file's memory.
_FILES_OF_A_PROCESS = 500


def convert_elsewhere(content: bytes, kind: str, max_pixels: int = MAX_PIXELS) -> bytes:
    """Calls `convert` in a process whose time and memory have a limit.

    As many run at a time as there are cores. They wait for more files and end with
    this process.

    Args:
        content: The content of a file.
        kind: One of `KINDS`.
        max_pixels: As of `convert`; the limits grow with it.

    Returns:
        The content of a BMP, PNG or JPEG.

    Raises:
        ValueError: As `convert`, and when the file took too much time or memory.
        OSError: When no process can be started, or it was killed.
    """
    if len(content) > _MOST_BYTES:
        raise ValueError(
            f"More than {_MOST_BYTES} bytes of {kind.upper()} are refused; there are "
            f"{len(content)}."
        )
    with _CONVERTERS.one() as converter:
        return converter.convert(content, kind, max_pixels)


class _Converter:
    """A process of `converter_process.main`."""

    def __init__(self):
        # Each thread of a library for linear algebra would take memory.
        environment = {
            **os.environ,
            "OPENBLAS_NUM_THREADS": "1",
            "OMP_NUM_THREADS": "1",
        }
        self._process = subprocess.Popen(
            python_command(converter_process.__name__),
            stdin=subprocess.PIPE,
            stdout=subprocess.PIPE,
            stderr=subprocess.DEVNULL,
            env=environment,
        )
        if not self._read(1):
            code = self.close()
            raise OSError(f"{sys.executable} for decoding ended with code {code}.")
        self._files_left = _FILES_OF_A_PROCESS

    def convert(self, content, kind, max_pixels):
        self._files_left -= 1
        request = REQUEST.pack(KINDS.index(kind), max_pixels, len(content))
        try:
            self._process.stdin.write(request)
            self._process.stdin.write(content)
            self._process.stdin.flush()
        except BrokenPipeError:  # it has ended, and the answer says how
            answer = None
        else:
            answer = self._answer()
        if answer is None:
            raise _error(kind, self.close(), SECONDS * share(max_pixels))
        good, result = answer
        if not good:
            raise ValueError(result.decode())
        return result

    @property
    def is_good(self):
        """Whether it may convert another file."""
        return self._files_left > 0 and self._process.poll() is None

    def close(self):
        """Ends the process; returns its exit code."""
        for pipe in (self._process.stdin, self._process.stdout):
            with contextlib.suppress(BrokenPipeError):
                pipe.close()
        return self._process.wait()

    def _answer(self):
        header = self._read(ANSWER.size)
        if len(header) < ANSWER.size:
            return None
        good, size = ANSWER.unpack(header)
        result = self._read(size)
        return (good, result) if len(result) == size else None

    def _read(self, size):
        return self._process.stdout.read(size)


class _Converters:
    """Processes that are made when they are needed, and kept."""

    def __init__(self):
        self._idle = []
        self._turns = threading.BoundedSemaphore(os.cpu_count() or 1)

    @contextlib.contextmanager
    def one(self) -> Iterator[_Converter]:
        with self._turns:
            try:
                converter = self._idle.pop()
            except IndexError:
                converter = _Converter()
            whole = False  # not if it is interrupted amid a file
            try:
                yield converter
                whole = True
            except ValueError:
                whole = True
                raise
            finally:
                if whole and converter.is_good:
                    self._idle.append(converter)
                else:
                    converter.close()

    def close(self):
        while self._idle:
            self._idle.pop().close()


def _error(kind, code, seconds):
    """What it means that a process ended amid a file."""
    kind = kind.upper()
    if code == -signal.SIGPROF:
        return ValueError(
            f"It takes more than {seconds:g} s of a core to decode this {kind} file."
        )
    if -code in _FROM_OUTSIDE:
        return OSError(f"The process that decoded a {kind} file was ended: {-code}.")
    return ValueError(f"A damaged {kind} file: its decoder ended with code {code}.")


def _anew():
    """In a forked process: the parent's pipes are not for two."""
    global _CONVERTERS
    _CONVERTERS = _Converters()


_CONVERTERS = _Converters()
atexit.register(lambda: _CONVERTERS.close())
os.register_at_fork(after_in_child=_anew)
