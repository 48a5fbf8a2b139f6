"""A process that converts image files from stdin to stdout, with limits on each.

It is started by `converters` and knows no TensorFlow.
"""

import contextlib
import os
import signal
import struct
import sys
import warnings

from PIL import Image

from annotator.images.claimed import MAX_PIXELS
from annotator.images.photos.conversion import KINDS, convert

# What one file may take: seconds of a processor, and memory; of larger pictures, where
# they are asked for, in proportion. What comes of it takes the graph a quarter of a
# second more.
SECONDS = 1.75
MEGABYTES = 512
# The index of a kind, the pixels that a file may have, and its size.
REQUEST = struct.Struct(">BQQ")
# Whether it went well and the size of what comes of it.
ANSWER = struct.Struct(">BQ")


def share(max_pixels: int) -> float:
    """How much more than others a file may take that may have so many pixels."""
    return max(1.0, max_pixels / MAX_PIXELS)


def main() -> None:
    """Converts one file after the other until stdin ends."""
    # What libraries print is no answer.
    answers = os.fdopen(os.dup(1), "wb")
    os.dup2(2, 1)
    # Ctrl-C goes to all processes of a terminal; this one ends with its work.
    signal.signal(signal.SIGINT, signal.SIG_IGN)
    # Nobody reads them, and each damaged file may give thousands.
    warnings.simplefilter("ignore")
    Image.MAX_IMAGE_PIXELS = None  # each file comes with a limit
    with contextlib.suppress(BrokenPipeError):
        answers.write(b"!")
        answers.flush()
        while header := sys.stdin.buffer.read(REQUEST.size):
            kind, max_pixels, size = REQUEST.unpack(header)
            content = sys.stdin.buffer.read(size)
            good, result = _converted(content, KINDS[kind], max_pixels)
            answers.write(ANSWER.pack(good, len(result)))
            answers.write(result)
            answers.flush()


def _converted(content, kind, max_pixels):
    megabytes = int(MEGABYTES * share(max_pixels))
    _limit_memory(megabytes)
    # Ended by the system when it takes longer: no decoder can hold that up.
    signal.setitimer(signal.ITIMER_PROF, SECONDS * share(max_pixels))
    try:
        return True, convert(content, kind, max_pixels)
    except MemoryError:
        text = f"It takes more than {megabytes} MB to decode this {kind.upper()} file."
    except ValueError as error:
        text = str(error)
    finally:
        signal.setitimer(signal.ITIMER_PROF, 0)
    return False, text.encode(errors="replace")


def _limit_memory(megabytes):
    with contextlib.suppress(ImportError, ValueError, OSError):  # not on every system
        import resource

        _, hard = resource.getrlimit(resource.RLIMIT_DATA)
        size = megabytes << 20
        if hard != resource.RLIM_INFINITY:
            size = min(size, hard)
        resource.setrlimit(resource.RLIMIT_DATA, (size, hard))
