"""The watchdog ends what cannot end itself, and nothing else."""

import subprocess
import sys
import textwrap

import pytest


def run(code):
    return subprocess.run(
        [sys.executable, "-c", textwrap.dedent(code)],
        capture_output=True,
        text=True,
        timeout=60,
    )


@pytest.mark.skipif(sys.platform != "linux", reason="needs the timers of Linux")
def test_a_process_whose_interpreter_stands_still_ends():
    result = run(
        """
        import ctypes
        from annotator.config.watchdog import Watchdog
        with Watchdog(0.5, "nothing moved, 100 %s; begin again") as watchdog:
            watchdog.alive()
            ctypes.PyDLL(None).pause()  # with Python's lock, for ever
        """
    )
    assert result.returncode == 2
    assert "nothing moved, 100 %s; begin again\n" in result.stderr
    assert 'File "<string>", line 6' in result.stderr  # where it stood


def test_a_process_that_goes_on_is_left_alone():
    result = run(
        """
        import time
        from annotator.config.watchdog import Watchdog
        with Watchdog(1.0, "nothing moved") as watchdog:
            for _ in range(30):
                time.sleep(0.1)
                watchdog.alive()
        time.sleep(1.5)  # it watches no more
        """
    )
    assert (result.returncode, result.stderr) == (0, "")
