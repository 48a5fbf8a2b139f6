"""The Spark engine of annotation: the same records, made by many machines.

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
from collections.abc import Generator, Iterable, Mapping
from typing import Any

import pandas as pd
import pyspark
import tensorflow as tf

from annotator.annotation.model import AnnotationModel
from annotator.annotation.record_file import to_json
from annotator.annotation.records import Record, records
from annotator.annotation.run import annotate
from annotator.annotation.sources import Source
from annotator.annotation.spark.session import SPARK_ERRORS, error_line, spark_session
from annotator.export.versions import Exports, find_exports, model_digest
from annotator.images.read_ahead import map_ahead

_BATCHES_OF_A_PIECE = 8  # what is lost with a task
# For each task that runs at a time: what is lost with the driver.
_PIECES_OF_A_ROUND = 4


def annotate_on_spark(
    models: Iterable[str | os.PathLike],
    source: str | os.PathLike,
    output: str | os.PathLike,
    *,
    master: str,
    conf: Mapping[str, str] | None = None,
    **options: Any,
) -> tuple[int, int]:
    """Annotates images with Spark; continues a run that was cut off.

    The settings of a run are those of the local engine: either goes on with what the
    other began. An attempt leaves `OUTPUT.rounds` behind if it is killed; the next one
    removes it.

    Args:
        models: Folders of exports, as in `annotate`. All machines need to see them
            under these paths, relative to this process' working folder.
        source: The images, as in `annotate`; all machines need to see them, too.
        output: A `.jsonl`, `.csv` or `.parquet` file; all machines need to see its
            folder.
        master: URL of a Spark master: `spark://host:7077`, `yarn`, `local[*]`.
        conf: Spark properties, see `spark_session`.
        **options: As in `annotate`. `workers` is counted per task, and by default the
            number of its cores, `spark.task.cpus`.

    Returns:
        `(records, failed)`: their number, and how many of them are errors.

    Raises:
        FileNotFoundError: When there is no such model or image.
        ValueError: When `annotate` would raise it.
        OSError: When Spark does not start, a job fails or a file cannot be written. The
            same call goes on from there.
    """
    folder = pathlib.Path(os.path.abspath(f"{output}.rounds"))
    engine = functools.partial(spark_engine, folder, master, conf)
    return annotate(models, source, output, engine=engine, **options)


def spark_engine(
    folder: pathlib.Path,
    master: str,
    conf: Mapping[str, str] | None,
    exports: Exports,
    options: dict[str, Any],
    images: Source,
    done: Iterable[str],
    batch_size: int,
    workers: int | None,
) -> Generator[Record, None, None]:
    """Makes the records of a run with Spark: an engine, as `local_engine` is one.

    Args:
        folder: Absolute path of a folder for what is under way, on shared storage.
        master: URL of the master.
        conf: Spark properties, see `spark_session`.
        exports: Dict from task to `(folder, manifest)`, as of `find_exports`.
        options: As of `local_engine`.
        images: What is to be annotated.
        done: Names of the images that have records.
        batch_size: Images per pass of the backbone.
        workers: Threads that decode in a task; by default as many as it has cores.

    Yields:
        The records of all other images, in order.
    """
    job = _Job(
        working_folder=os.getcwd(),
        export_folders=tuple(str(path) for path, _ in exports.values()),
        checksums=_checksums(exports),
        options=tuple(options.items()),
        images=images,
        batch_size=batch_size,
        workers=workers,
    )
    shutil.rmtree(folder, ignore_errors=True)
    try:
        with spark_session(master, conf) as spark:
            pieces = images.pieces(done, _BATCHES_OF_A_PIECE * batch_size)
            run = functools.partial(_run_round, spark, job)
            rounds = _rounds(spark, pieces, folder)
            for finished in map_ahead(run, rounds, workers=2, ahead=2):
                yield from _read_round(finished)
                shutil.rmtree(finished.folder)
    finally:
        shutil.rmtree(folder, ignore_errors=True)


@dataclasses.dataclass(frozen=True)
class _Job:
    """What tasks need to know."""

    working_folder: str
    export_folders: tuple[str, ...]
    checksums: tuple[str, ...]
    options: tuple[tuple[str, Any], ...]
    images: Source
    batch_size: int
    workers: int | None


@dataclasses.dataclass(frozen=True)
class _Round:
    """A folder, and where in its list each piece begins."""

    folder: pathlib.Path
    offsets: tuple[int, ...]

    @property
    def pieces(self):
        return self.folder / "pieces.jsonl"

    @property
    def records(self):
        return self.folder / "records"


def _rounds(spark, pieces, folder):
    """Writes lists of pieces, as many in each as keep the cluster busy for a while."""
    cores_of_task = int(spark.sparkContext.getConf().get("spark.task.cpus", "1"))
    for number in itertools.count():
        tasks = max(1, spark.sparkContext.defaultParallelism // cores_of_task)
        batch = list(itertools.islice(pieces, _PIECES_OF_A_ROUND * tasks))
        if not batch:
            return
        subfolder = folder / f"{number:06d}"
        subfolder.mkdir(parents=True)
        lines = [json.dumps(piece).encode() + b"\n" for piece in batch]
        offsets = itertools.accumulate(map(len, lines[:-1]), initial=0)
        current = _Round(subfolder, tuple(offsets))
        current.pieces.write_bytes(b"".join(lines))
        yield current


def _run_round(spark, job, current):
    """Runs a round: each task writes a file, and Spark makes them one set."""
    tasks = len(current.offsets)
    lines = spark.range(0, tasks, 1, tasks).mapInPandas(
        functools.partial(_lines, job, current), "value string"
    )
    try:
        # A plain path would mean the cluster's own file system, if it has one.
        lines.write.text(f"file://{current.records}", compression="none")
    except SPARK_ERRORS as error:
        spark.sparkContext.cancelAllJobs()
        raise OSError(
            f"The Spark job failed: {error_line(error)}\n"
            "What was finished is kept; the same command goes on from there."
        ) from error
    return current


def _read_round(finished):
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
    model = _model(job.export_folders, job.checksums, job.options, cores)
    with open(current.pieces, "rb") as file:
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
    return tuple(model_digest(manifest) for _, manifest in exports.values())
