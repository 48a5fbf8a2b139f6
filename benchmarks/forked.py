"""Commands run in forks of a process that has imported what they need.

To import TensorFlow takes ten seconds, to fork a moment: so many a run can be begun,
and killed. TensorFlow has computed nothing in the process that forks.
"""

import contextlib
import os
import signal
import sys
import time

_TICKS = os.sysconf("SC_CLK_TCK")


class Forked:
    """A command of `annotator` in a process of its own, the first of its group.

    Args:
        arguments: The command and its flags.
        output: File that stdout and stderr are added to.
        before: Function that is called in the process first, e.g. to limit it.
    """

    def __init__(self, arguments, output, before=None):
        self.output = output
        self._status = None
        self.pid = os.fork()
        if self.pid == 0:
            _run(arguments, output, before)

    @property
    def seconds(self):
        """Seconds of a core that its group has taken; `None` when it has ended."""
        if self.poll() is not None:
            return None
        return sum(_ticks_of_group(self.pid)) / _TICKS

    def poll(self):
        """The exit code, negative for a signal; `None` while it runs."""
        if self._status is None:
            pid, status = os.waitpid(self.pid, os.WNOHANG)
            if pid:
                self._status = os.waitstatus_to_exitcode(status)
        return self._status

    def wait_for(self, seconds):
        """Waits until it has taken so many seconds of a core; whether it still runs."""
        while (taken := self.seconds) is not None and taken < seconds:
            time.sleep(0.05)
        return taken is not None

    def wait(self, patience=1800):
        """Waits for the end; returns the exit code. One that hangs is an error."""
        last, since = -1.0, time.monotonic()
        while (taken := self.seconds) is not None:
            if taken > last + 0.1:
                last, since = taken, time.monotonic()
            elif time.monotonic() - since > patience:
                sys.exit(f"nothing moves for {patience} s: see {self.output}")
            time.sleep(0.05)
        return self.poll()

    def send(self, number):
        """Sends a signal to the whole group."""
        if self.poll() is None:
            os.killpg(self.pid, number)


def _ticks_of_group(group):
    """Ticks of each process of a group, with those of its children that have ended."""
    for entry in os.scandir("/proc"):
        if entry.name.isdecimal():
            with contextlib.suppress(OSError), open(f"{entry.path}/stat", "rb") as file:
                fields = file.read().rpartition(b") ")[2].split()
                if int(fields[2]) == group:
                    yield sum(map(int, fields[11:15]))


def prepare():
    """Imports what the commands need."""
    os.environ.setdefault("TF_CPP_MIN_LOG_LEVEL", "2")
    import annotator.annotation.command
    import annotator.annotation.run
    import annotator.training.command
    import annotator.training.run

    with contextlib.suppress(ImportError):  # of the extra `serve`
        import annotator.serve.server  # noqa: F401


def _run(arguments, output, before):
    """In the fork: the command, and the end of the process."""
    code = 99
    try:
        os.setsid()
        file = os.open(output, os.O_WRONLY | os.O_CREAT | os.O_APPEND, 0o644)
        for number in (1, 2):
            os.dup2(file, number)
        signal.signal(signal.SIGINT, signal.default_int_handler)
        if before is not None:
            before()
        from annotator.__main__ import main

        main(["annotator", *arguments])
    except SystemExit as end:
        code = end.code if isinstance(end.code, int) else int(end.code is not None)
    except BaseException:
        import traceback

        traceback.print_exc()
    finally:
        for stream in (sys.stdout, sys.stderr):
            with contextlib.suppress(OSError):
                stream.flush()
        os._exit(code)
