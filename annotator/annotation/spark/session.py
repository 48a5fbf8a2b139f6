"""A Spark session that is set up for annotation."""

import contextlib
import os
import sys
from collections.abc import Iterator, Mapping

import py4j.protocol
import pyspark.errors
import pyspark.sql

SETTINGS = {
    # A task's files move to their place when it has ended and the driver has agreed.
    # Version 2 moves them while others may still take the task for lost.
    "spark.hadoop.mapreduce.fileoutputcommitter.algorithm.version": "1",
    "spark.python.worker.reuse": "true",  # or each task would load the model
    "spark.executorEnv.TF_CPP_MIN_LOG_LEVEL": "2",
    "spark.executorEnv.TF_ENABLE_ONEDNN_OPTS": "1",  # as `start_tensorflow` has it
    "spark.ui.showConsoleProgress": "false",  # `annotate` shows its own
}

# What Spark's calls raise in the driver.
SPARK_ERRORS = (pyspark.errors.PySparkException, py4j.protocol.Py4JError)


@contextlib.contextmanager
def spark_session(
    master: str, conf: Mapping[str, str] | None = None
) -> Iterator[pyspark.sql.SparkSession]:
    """A session that is set up for annotation, and stopped at the end.

    One Python process serves one task at a time and keeps its model for the next. It
    computes on `spark.task.cpus` cores, 1 by default: an executor of 16 cores runs 16
    tasks and holds 16 models, or with `spark.task.cpus=4` four of each, which takes a
    quarter of the memory. It is this process' interpreter, by its path, unless
    `PYSPARK_PYTHON` names another.

    Args:
        master: URL of the master.
        conf: Spark properties, over those of `SETTINGS`.

    Yields:
        The session.

    Raises:
        OSError: When it does not start.
    """
    # Spark's own default is whatever `python3` there is.
    os.environ.setdefault("PYSPARK_PYTHON", sys.executable)
    builder = pyspark.sql.SparkSession.builder.master(master).appName("annotator")
    try:
        spark = builder.config(map={**SETTINGS, **(conf or {})}).getOrCreate()
    except SPARK_ERRORS as error:
        raise OSError(
            f"Spark did not start with {master}: {error_line(error)}"
        ) from error
    try:
        yield spark
    finally:
        spark.stop()


def error_line(error: BaseException) -> str:
    """What went wrong, in a line: Spark's errors come with two stacks of calls."""
    text = str(getattr(error, "java_exception", None) or error).strip()
    _, traceback, calls = text.partition("Traceback (most recent call last):\n")
    if not traceback:
        return text.splitlines()[0]
    return next(line for line in calls.splitlines() if not line.startswith(" "))
