"""Training on one machine or on many: who does what, and how they wait.

Worker processes find each other by `TF_CONFIG`, as TensorFlow documents it, and share
one file system. The first of them, the chief, does alone what is done once: features,
drafts, validation, checkpoints and exports.
"""

import functools
import os

import tensorflow as tf


@functools.cache
def strategy():
    """How this process trains: with the workers of `TF_CONFIG`, its GPUs, or alone.

    With `TF_CONFIG` set, the first call must come before TensorFlow does anything.
    """
    if "TF_CONFIG" in os.environ:
        return tf.distribute.MultiWorkerMirroredStrategy()
    if len(tf.config.list_physical_devices("GPU")) > 1:
        return tf.distribute.MirroredStrategy()
    return tf.distribute.get_strategy()


def is_chief():
    """Whether this process does what is done once."""
    resolver = strategy().cluster_resolver
    return resolver is None or not resolver.task_id


def from_chief(value=0.0):
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
