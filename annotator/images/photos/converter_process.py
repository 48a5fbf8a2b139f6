"""A process that converts image files from stdin to stdout, with limits on each.

It is started by `converters` and knows no TensorFlow.
"""

import contextlib
import os
import signal
import struct
import sys
import warnings

from annotator.images.photos.conversion import KINDS, convert

# What one file may take: seconds of a processor, and memory. What comes of it takes the
# graph a quarter of a second more.
SECONDS = 1.75
MEGABYTES = 512
# The index of a kind and the size of a file; or whether it went well and the size of
# what comes of it.
HEADER = struct.Struct(">BQ")


def main() -> None:
    """Converts one file after the other until stdin ends."""
    # What libraries print is no answer.
    answers = os.fdopen(os.dup(1), "wb")
    os.dup2(2, 1)
    # Ctrl-C goes to all processes of a terminal; this one ends with its work.
    signal.signal(signal.SIGINT, signal.SIG_IGN)
    # Nobody reads them, and each damaged file may give thousands.
    warnings.simplefilter("ignore")
    _limit_memory()
    with contextlib.suppress(BrokenPipeError):
        answers.write(b"!")
        answers.flush()
        while header := sys.stdin.buffer.read(HEADER.size):
            kind, size = HEADER.unpack(header)
            good, result = _converted(sys.stdin.buffer.read(size), KINDS[kind])
            answers.write(HEADER.pack(good, len(result)))
            answers.write(result)
            answers.flush()


def _converted(content, kind):
    # Ended by the system when it takes longer: no decoder can hold that up.
    signal.setitimer(signal.ITIMER_PROF, SECONDS)
    try:
        return True, convert(content, kind)
    except MemoryError:
        text = f"It takes more than {MEGABYTES} MB to decode this {kind.upper()} file."
    except ValueError as error:
        text = str(error)
    finally:
        signal.setitimer(signal.ITIMER_PROF, 0)
    return False, text.encode(errors="replace")


def _limit_memory():
    with contextlib.suppress(ImportError, ValueError, OSError):  # not on every system
        import resource

        _, hard = resource.getrlimit(resource.RLIMIT_DATA)
        size = MEGABYTES << 20
        if hard != resource.RLIM_INFINITY:
            size = min(size, hard)
        resource.setrlimit(resource.RLIMIT_DATA, (size, hard))
