"""Training on one machine or on many: who does what, and how they wait.

Worker processes find each other by `TF_CONFIG`, as TensorFlow documents it, and share
one file system. The first of them, the chief, does alone what is done once: features,
drafts, validation, checkpoints and exports.
"""

import functools
import os

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


def from_chief(value: float = 0.0) -> float:
    """The number that the chief gives; all workers wait here for each other.

    Args:
        value: A float; only the chief's counts.
    """
    if "TF_CONFIG" not in os.environ:
        return value
    own = tf.constant(value if is_chief() else 0.0, tf.float64)

    @tf.function
    def share():
        context = tf.distribute.get_replica_context()
        # The other replicas of the chief have its number too.
        first = context.replica_id_in_sync_group == 0
        return context.all_reduce(
            tf.distribute.ReduceOp.SUM, tf.where(first, own, tf.zeros_like(own))
        )

    shared = strategy().run(share)
    return float(strategy().experimental_local_results(shared)[0])
