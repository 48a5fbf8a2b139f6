"""Training on one machine or on many: who does what, and how they wait.

Worker processes find each other by `TF_CONFIG`, as TensorFlow documents it, and share
one file system. The first of them, the chief, does alone what is done once: features,
drafts, validation, checkpoints and exports.
"""

import functools
import os
from collections.abc import Sequence

import numpy as np
import tensorflow as tf


@functools.cache
def strategy() -> tf.distribute.Strategy:
    """How this process trains: with the workers of `TF_CONFIG`, its GPUs, or alone.

    With `TF_CONFIG` set, the first call must come before TensorFlow does anything.
    """
    if "TF_CONFIG" in os.environ:
        return tf.distribute.MultiWorkerMirroredStrategy()
    if len(tf.config.list_physical_devices("GPU")) > 1:
        return tf.distribute.MirroredStrategy()
    return tf.distribute.get_strategy()


def is_chief() -> bool:
    """Whether this process does what is done once."""
    resolver = strategy().cluster_resolver
    if resolver is None:
        return True
    jobs = resolver.cluster_spec().jobs
    if not jobs:
        return True
    # A cluster need not have a task of that name; then it is the first worker.
    chief = next((job for job in ("chief", "master") if job in jobs), "worker")
    return (resolver.task_type, resolver.task_id) == (chief, 0)


def from_chief(numbers: Sequence[float] = ()) -> list[float]:
    """The numbers that the chief gives; all workers wait here for each other.

    Args:
        numbers: Any number of floats; only the chief's count.
    """
    if "TF_CONFIG" not in os.environ:
        return list(numbers)
    own = np.array(numbers if is_chief() else (), np.float64)
    # The others have to know how many there are before they can take them.
    (count,) = _sum_over_workers(np.array([len(own)], np.float64))
    if not count:
        return []
    return _sum_over_workers(own if is_chief() else np.zeros(int(count))).tolist()


def _sum_over_workers(own):
    shared = strategy().run(_share, (tf.constant(own),))
    return strategy().experimental_local_results(shared)[0].numpy()


@tf.function(autograph=False)
def _share(own):
    context = tf.distribute.get_replica_context()
    # The other replicas of the chief have its numbers too.
    first = context.replica_id_in_sync_group == 0
    return context.all_reduce(
        tf.distribute.ReduceOp.SUM, tf.where(first, own, tf.zeros_like(own))
    )
