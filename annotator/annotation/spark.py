"""`annotate.py --engine=spark`: the same records, made by many machines.

The driver lists the images and cuts them into pieces of a few batches. A task of Spark
is a piece, and gives the lines that the local engine would write. If its machine is
lost, it runs again, and Spark's commit protocol lets one attempt of each count. Tasks
come in rounds, two rounds at a time: the driver, which appends the records of one after
the other to the output, never holds more than their pieces.

Images, exports and output are on storage that all machines see under the same paths.
"""

import contextlib
import dataclasses
import functools
import itertools
import json
import os
import pathlib
import shutil
import sys

import pandas as pd
import py4j.protocol
import pyspark
import pyspark.errors
import pyspark.sql
import tensorflow as tf

from annotator.annotation.model import AnnotationModel, find_exports
from annotator.annotation.record_file import to_json
from annotator.annotation.run import annotate, records
from annotator.annotation.sources import ImageFiles, ImageTable
from annotator.images.read_ahead import map_ahead

SETTINGS = {
    # A task's files move to their place when it has ended and the driver has agreed.
    # Version 2 moves them while others may still take the task for lost.
    "spark.hadoop.mapreduce.fileoutputcommitter.algorithm.version": "1",
    "spark.python.worker.reuse": "true",  # or each task would load the model
    "spark.executorEnv.TF_CPP_MIN_LOG_LEVEL": "2",
    "spark.ui.showConsoleProgress": "false",  # `annotate` shows its own
}
_PIECE = 8  # batches: what is lost with a task
_ROUND = 4  # pieces for each task that runs at a time: what is lost with the driver


def annotate_on_spark(models, source, output, *, master, conf=None, **options):
    """Annotates images with Spark; continues a run that was cut off.

    The settings of a run are those of the local engine: either goes on with what the
    other began. An attempt leaves `OUTPUT.rounds` behind if it is killed; the next one
    removes it.

    Args:
        models, source, output: As in `annotation.annotate`, but all machines need to
            see them under these paths, relative to this process' working folder.
        master: URL of a Spark master: `spark://host:7077`, `yarn`, `local[*]`.
        conf: Dict of Spark properties, see `spark_session`.
        **options: As in `annotation.annotate`. `workers` is counted per task, and by
            default the number of its cores, `spark.task.cpus`.

    Returns:
        `(records, failed)`: their number, and how many of them are errors.

    Raises:
        FileNotFoundError, ValueError: As `annotation.annotate`.
        OSError: If Spark does not start, a job fails or a file cannot be written. The
            same call goes on from there.
    """
    folder = pathlib.Path(os.path.abspath(f"{output}.rounds"))
    engine = functools.partial(spark_engine, folder, master, conf)
    return annotate(models, source, output, engine=engine, **options)


@contextlib.contextmanager
def spark_session(master, conf=None):
    """A session that is set up for annotation, and stopped at the end.

    One Python process serves one task at a time and keeps its model for the next. It
    computes on `spark.task.cpus` cores, 1 by default: an executor of 16 cores runs 16
    tasks and holds 16 models, or with `spark.task.cpus=4` four of each, which takes a
    quarter of the memory. It is this process' interpreter, by its path, unless
    `PYSPARK_PYTHON` names another.

    Args:
        master: URL of the master.
        conf: Dict of Spark properties, over those of `SETTINGS`.

    Yields:
        `pyspark.sql.SparkSession`.

    Raises:
        OSError: If it does not start.
    """
    # Spark's own default is whatever `python3` there is.
    os.environ.setdefault("PYSPARK_PYTHON", sys.executable)
    builder = pyspark.sql.SparkSession.builder.master(master).appName("annotator")
    try:
        spark = builder.config(map={**SETTINGS, **(conf or {})}).getOrCreate()
    except (pyspark.errors.PySparkException, py4j.protocol.Py4JError) as error:
        raise OSError(f"Spark did not start with {master}: {_reason(error)}") from error
    try:
        yield spark
    finally:
        spark.stop()


def spark_engine(
    folder, master, conf, exports, options, images, done, batch_size, workers
):
    """Makes the records of a run with Spark: an engine, see `annotation.local_engine`.

    Args:
        folder: Absolute path of a folder for what is under way, on shared storage.
        master, conf: As in `spark_session`.
        exports, options, images, done, batch_size, workers: As in `local_engine`.

    Yields:
        The records of all other images, in order.
    """
    job = _Job(
        os.getcwd(),
        tuple(str(path) for path, _ in exports.values()),
        _checksums(exports),
        tuple(options.items()),
        images,
        batch_size,
        workers,
    )
    shutil.rmtree(folder, ignore_errors=True)
    try:
        with spark_session(master, conf) as spark:
            pieces = images.pieces(done, _PIECE * batch_size)
            run = functools.partial(_run, spark, job)
            rounds = _rounds(spark, pieces, folder)
            for finished in map_ahead(run, rounds, workers=2, ahead=2):
                yield from _read(finished)
                shutil.rmtree(finished.folder)
    finally:
        shutil.rmtree(folder, ignore_errors=True)


@dataclasses.dataclass(frozen=True)
class _Job:
    """What tasks need to know."""

    working_folder: str
    exports: tuple
    checksums: tuple
    options: tuple
    images: ImageFiles | ImageTable
    batch_size: int
    workers: int | None


@dataclasses.dataclass(frozen=True)
class _Round:
    """A folder, and where in its list each piece begins."""

    folder: pathlib.Path
    offsets: tuple

    @property
    def list(self):
        return self.folder / "pieces.jsonl"

    @property
    def records(self):
        return self.folder / "records"


def _rounds(spark, pieces, folder):
    """Writes lists of pieces, as many in each as keep the cluster busy for a while."""
    cores_of_task = int(spark.sparkContext.getConf().get("spark.task.cpus", "1"))
    for number in itertools.count():
        tasks = max(1, spark.sparkContext.defaultParallelism // cores_of_task)
        batch = list(itertools.islice(pieces, _ROUND * tasks))
        if not batch:
            return
        subfolder = folder / f"{number:06d}"
        subfolder.mkdir(parents=True)
        lines = [json.dumps(piece).encode() + b"\n" for piece in batch]
        offsets = itertools.accumulate(map(len, lines[:-1]), initial=0)
        current = _Round(subfolder, tuple(offsets))
        current.list.write_bytes(b"".join(lines))
        yield current


def _run(spark, job, current):
    """Runs a round: each task writes a file, and Spark makes them one set."""
    tasks = len(current.offsets)
    lines = spark.range(0, tasks, 1, tasks).mapInPandas(
        functools.partial(_lines, job, current), "value string"
    )
    try:
        # A plain path would mean the cluster's own file system, if it has one.
        lines.write.text(f"file://{current.records}", compression="none")
    except (pyspark.errors.PySparkException, py4j.protocol.Py4JError) as error:
        spark.sparkContext.cancelAllJobs()
        raise OSError(
            f"The Spark job failed: {_reason(error)}\nWhat was finished is kept; the "
            "same command goes on from there."
        ) from error
    return current


def _read(finished):
    """The records of a round, in order."""
    parts = sorted(finished.records.glob("part-*"))
    if len(parts) != len(finished.offsets):
        raise OSError(
            f"{finished.records} has {len(parts)} files of {len(finished.offsets)}: is "
            "it on storage that all machines see?"
        )
    for part in parts:
        with open(part, "rb") as file:
            yield from map(json.loads, file)


def _lines(job, current, frames):
    """A task: numbers of pieces in, their records out, as lines of JSON."""
    # Names in a list may be relative, and a worker starts in a folder of its own. One
    # that has no such folder can still read what has a full name.
    with contextlib.suppress(OSError):
        os.chdir(job.working_folder)
    cores = pyspark.TaskContext.get().cpus()
    model = _model(job.exports, job.checksums, job.options, cores)
    with open(current.list, "rb") as file:
        for frame in frames:
            pieces = (_piece(file, current.offsets[number]) for number in frame["id"])
            workers = job.workers or cores
            pairs = job.images.read(pieces, workers, job.batch_size)
            made = map(to_json, records(model, pairs, job.batch_size, workers))
            while lines := list(itertools.islice(made, job.batch_size)):
                yield pd.DataFrame({"value": lines})


def _piece(file, offset):
    file.seek(offset)
    return json.loads(file.readline())


@functools.lru_cache(maxsize=1)
def _model(folders, checksums, options, cores):
    """The model of this process, which serves one task after the other."""
    tf.config.threading.set_intra_op_parallelism_threads(cores)
    tf.config.threading.set_inter_op_parallelism_threads(cores)
    exports = find_exports(folders)
    if _checksums(exports) != checksums:
        raise ValueError(f"{', '.join(folders)}: a worker sees other exports there.")
    return AnnotationModel.load(exports, **dict(options))


def _checksums(exports):
    return tuple(
        manifest["files"][f"{task}.keras"] for task, (_, manifest) in exports.items()
    )


def _reason(error):
    """What went wrong, in a line: Spark's errors come with two stacks of calls."""
    text = str(getattr(error, "java_exception", None) or error).strip()
    _, traceback, calls = text.partition("Traceback (most recent call last):\n")
    if not traceback:
        return text.splitlines()[0]
    return next(line for line in calls.splitlines() if not line.startswith(" "))
