"""The start of TensorFlow, with one line on the terminal in place of its own."""

import contextlib
import glob
import os
import re
import secrets
import signal
import sys
from collections.abc import Callable, Iterator
from typing import NoReturn

_LEVEL = "TF_CPP_MIN_LOG_LEVEL"
_ONEDNN = "TF_ENABLE_ONEDNN_OPTS"
# What TensorFlow says of itself on any machine. Its level does not keep all of it back:
# some is said before the level is known, some as an error.
_ALWAYS_SAID = re.compile(
    rb"All log messages before absl::InitializeLog"
    rb"|^I\d{4} \d\d:|^\d{4}-\d\d-\d\d \d\d:\d\d:[\d.]+: I "
    rb"|computation placer already registered"
    rb"|Unable to register cu\w+ (factory|plugin)"
    rb"|oneDNN supports DT_HALF only"
)
# What it says where there is no GPU; where there is one, it is worth knowing.
_NO_GPU = re.compile(rb"failed call to cuInit|Could not find cuda drivers")

# What Keras imports where it is installed, for parts of it that no command uses: 40 %
# of the time that TensorFlow's import takes. A command that needs it imports it itself.
_UNUSED_BY_COMMANDS = ("matplotlib", "pandas", "sklearn")


def start_tensorflow() -> None:
    """Imports TensorFlow and lets it look for devices, without its start-up lines.

    It computes by oneDNN, which TensorFlow by itself leaves out on processors without
    AVX-512, where VGG16 takes a seventh less time, a step of the captioner's training
    a fourth (`benchmarks/onednn.py`). What the user has set `TF_ENABLE_ONEDNN_OPTS` to
    is kept.

    Keras does without what it would import for parts that no command uses. All else
    that is written to stderr meanwhile is passed on. Where the user has set
    `TF_CPP_MIN_LOG_LEVEL`, nothing is held back.
    """
    os.environ.setdefault(_ONEDNN, "1")
    if _LEVEL in os.environ or "tensorflow" in sys.modules:
        _start()
        return
    os.environ[_LEVEL] = "2"
    with filtered_stderr(is_start_up_line):
        _start()
        _meet_halves()


def announce(precision: str = "") -> None:
    """Says on stderr what TensorFlow computes on.

    Args:
        precision: In which arithmetic; empty if there is no telling.
    """
    import tensorflow as tf

    cores = _cores()
    parts = [
        f"TensorFlow {tf.__version__}",
        _device(tf),
        f"{cores} core{'s' if cores != 1 else ''}",
        precision,
    ]
    print(", ".join(filter(None, parts)), file=sys.stderr)


def is_start_up_line(line: bytes) -> bool:
    """Whether a line is one of those that TensorFlow writes at its start, in vain.

    Args:
        line: A line of stderr.
    """
    if _NO_GPU.search(line):
        return not _has_gpu()
    return bool(_ALWAYS_SAID.search(line))


@contextlib.contextmanager
def filtered_stderr(hidden: Callable[[bytes], bool]) -> Iterator[None]:
    """Leaves lines out of what is written to file descriptor 2, also by C++.

    Another process reads the lines and passes on the rest, as they come: what a program
    says last, before it crashes, is passed on as well. Where processes cannot be forked
    nothing is left out.

    Args:
        hidden: Whether to leave a line out.

    Yields:
        Nothing.
    """
    if not hasattr(os, "fork") or sys.stderr is None:
        yield
        return
    sys.stderr.flush()
    # A process that is started meanwhile may keep the pipe open: the end is said.
    end = f"end of the lines {secrets.token_hex(16)}\n".encode()
    reading, writing = os.pipe()
    child = os.fork()
    if not child:
        os.close(writing)
        _pass_on(reading, hidden, end)
    os.close(reading)
    stderr = os.dup(2)
    os.dup2(writing, 2)
    os.close(writing)
    try:
        yield
    finally:
        sys.stderr.flush()
        os.write(2, end)
        os.dup2(stderr, 2)
        os.close(stderr)
        os.waitpid(child, 0)


def _pass_on(reading: int, hidden: Callable[[bytes], bool], end: bytes) -> NoReturn:
    try:
        signal.signal(signal.SIGINT, signal.SIG_IGN)  # Ctrl-C reaches both
        with os.fdopen(reading, "rb") as lines:
            for line in lines:
                rest, is_end, _ = line.partition(end)
                if rest and not hidden(rest):
                    os.write(2, rest)
                if is_end:
                    break
    finally:
        os._exit(0)


@contextlib.contextmanager
def out_of_reach(*names: str) -> Iterator[None]:
    """Lets modules that are not imported yet look as if they were not installed.

    Args:
        *names: Names of packages.

    Yields:
        Nothing.
    """
    hidden = [name for name in names if name not in sys.modules]
    # Python's own sign for a module that is not to be found.
    sys.modules.update(dict.fromkeys(hidden))  # type: ignore[arg-type]
    try:
        yield
    finally:
        for name in hidden:
            del sys.modules[name]


def _start():
    with out_of_reach(*_UNUSED_BY_COMMANDS):
        import tensorflow as tf

    tf.config.list_physical_devices()


def _meet_halves():
    """Runs a graph with half floats, of which oneDNN speaks at the first.

    It says, as an error, that it leaves them to TensorFlow. Maps are kept in them, and
    are cast before anything is computed. A session of its own leaves TensorFlow's
    devices and threads to be set.
    """
    import tensorflow as tf

    on_the_cpu = tf.compat.v1.ConfigProto(device_count={"GPU": 0})
    with tf.Graph().as_default():
        half = tf.compat.v1.placeholder(tf.half, ())
        with tf.compat.v1.Session(config=on_the_cpu) as session:
            session.run(half * half, {half: 1.0})


def _device(tf):
    gpus = tf.config.list_physical_devices("GPU")
    if gpus:
        details = tf.config.experimental.get_device_details(gpus[0])
        name = details.get("device_name", "GPU")
        return f"{len(gpus)} x {name}" if len(gpus) > 1 else name
    if tf.config.list_physical_devices("TPU"):
        return "TPU"
    if _has_gpu():
        return f"CPU (not the GPU that is here: {_LEVEL}=0 says why)"
    return "CPU"


def _has_gpu():
    """Whether the system knows of an NVIDIA GPU."""
    return bool(glob.glob("/dev/nvidia[0-9]*")) or os.path.exists("/dev/dxg")


def _cores():
    if hasattr(os, "sched_getaffinity"):  # not on every system
        return len(os.sched_getaffinity(0))
    return os.cpu_count() or 1
