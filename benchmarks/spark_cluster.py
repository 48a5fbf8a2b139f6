"""A cluster of Spark on this machine, from the installed wheel, that may be killed."""

import contextlib
import os
import pathlib
import re
import signal
import subprocess
import sys
import time

import pyspark

ROOT = pathlib.Path(__file__).resolve().parent.parent


@contextlib.contextmanager
def standalone_cluster(folder, workers, cores=1):
    """A Spark master and workers on this machine, from the installed wheel.

    Args:
        folder: Where they write.
        workers: Their number.
        cores: Of each.

    Yields:
        `(url, processes)`: of the master, and of the workers.
    """
    folder.mkdir(parents=True)
    at = ["--host", "127.0.0.1", "--port", "0", "--webui-port", "0"]
    with contextlib.ExitStack() as stack:

        def start(name, arguments, started):
            process = _launch(folder / f"{name}.log", arguments)
            stack.callback(kill, process)
            return process, _wait_for_line(process, folder / f"{name}.log", started)

        _, url = start(
            "master", ["master.Master", *at], r"Spark master at (spark://\S+)"
        )
        size = ["--cores", str(cores), "--memory", "1g", "--work-dir", str(folder)]
        yield (
            url,
            [
                start(
                    f"worker{number}",
                    ["worker.Worker", *at, *size, url],
                    "(Successfully registered) with master",
                )[0]
                for number in range(workers)
            ],
        )


def kill(leader):
    """Kills a session: a worker, the executors that it runs and their Pythons."""
    for entry in pathlib.Path("/proc").iterdir():
        with contextlib.suppress(ProcessLookupError):
            if entry.name.isdigit() and os.getsid(int(entry.name)) == leader.pid:
                os.kill(int(entry.name), signal.SIGKILL)
    leader.wait()


def wait_for_task(process, output):
    """Returns when a task has ended and others have not."""
    ended = "*/records/_temporary/0/task_*"
    rounds = pathlib.Path(f"{output}.rounds")
    while process.poll() is None and not any(rounds.glob(ended)):
        time.sleep(0.05)
    if process.poll() is not None:
        raise RuntimeError("All was done before anything could be killed.")


def environment():
    """The environment of processes that import this package and find each other."""
    paths = [str(ROOT), *filter(None, [os.environ.get("PYTHONPATH")])]
    return {
        **os.environ,
        "PYTHONPATH": os.pathsep.join(paths),
        "PYSPARK_PYTHON": sys.executable,
        "SPARK_LOCAL_IP": "127.0.0.1",
        "SPARK_DAEMON_MEMORY": "256m",
    }


def _launch(log, arguments):
    """Starts a daemon of Spark as the leader of a session, which `kill` needs."""
    spark_class = pathlib.Path(pyspark.__file__).parent / "bin" / "spark-class"
    name, *others = arguments
    with open(log, "wb") as file:
        return subprocess.Popen(
            [spark_class, f"org.apache.spark.deploy.{name}", *others],
            env=environment(),
            stdout=file,
            stderr=subprocess.STDOUT,
            start_new_session=True,
        )


def _wait_for_line(process, log, pattern):
    """The first group of a pattern, once a daemon has written it."""
    while process.poll() is None:
        if found := re.search(pattern, log.read_text(errors="replace")):
            return found[1]
        time.sleep(0.1)
    raise RuntimeError(f"{log}: {log.read_text(errors='replace')[-2000:]}")
