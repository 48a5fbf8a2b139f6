"""The tagger's word means, added up by many workers with Spark."""

import functools
import os
import pathlib
from typing import Any

from annotator import loading
from annotator.runs.workdir import Workdir
from annotator.tagger.word_means import WordMeans

_ROWS = 1024  # of a batch, as in the local fit


def fit_word_means(
    spark: Any, folder: str | os.PathLike, tasks: int | None = None
) -> WordMeans:
    """Fits `WordMeans` to the images of a tagger's training.

    Each task adds up the vectors of its rows, and the tasks' sums and counts are added
    up on their way to the driver. They are those of the local fit but for the order of
    the additions, in float64.

    Args:
        spark: `pyspark.sql.SparkSession`, as of
            `annotator.annotation.spark.session.spark_session`.
        folder: `WORKDIR/tagger` of a training, which holds `vectors.npy`, float32
            `[N, d]`, and `tags.npz`, bool `[N, W]`; all workers see it.
        tasks: Number of tasks; by default as many as the cluster has cores.

    Returns:
        `WordMeans` whose words are the numbers 0 to W - 1.

    Raises:
        FileNotFoundError: If the training has not come that far.
    """
    folder = pathlib.Path(folder).resolve()
    vectors, _ = _open(folder)
    starts = range(0, len(vectors), _ROWS)
    tasks = min(len(starts), tasks or spark.sparkContext.defaultParallelism)
    parts = spark.sparkContext.parallelize(starts, tasks)
    return parts.mapPartitions(functools.partial(_means, folder)).treeReduce(_merged)


def _means(folder, starts):
    vectors, tags = _open(folder)
    means = WordMeans(range(tags.shape[1]), vectors.shape[1])
    for start in starts:
        means.add(vectors[start : start + _ROWS], tags[start : start + _ROWS])
    yield means


def _merged(one, other):
    one.merge(other)
    return one


def _open(folder):
    paths = Workdir(folder.parent)
    vectors = loading.array(paths.vectors, mmap_mode="r")
    return vectors, loading.arrays(paths.tags)["tags"]
