"""Batches read ahead in the background, and shared among the replicas of a strategy."""

from collections.abc import Callable, Iterable, Sequence

import tensorflow as tf


def shared_batches(
    read: Callable[[int, int], tuple],
    count: int,
    specs: Sequence[tf.TensorSpec],
    strategy: tf.distribute.Strategy,
) -> Iterable[tuple]:
    """What the replicas of a strategy take in each of some steps.

    Args:
        read: A function of a step and a replica, both numbers from 0, that returns a
            tuple of arrays as `specs` says: the replica's share of the step's batch.
        count: Number of steps.
        specs: A `tf.TensorSpec` for each array.
        strategy: `tf.distribute.Strategy`.

    Returns:
        An iterable of tuples of tensors, or of per-replica values where there are
        several replicas.
    """
    replicas = strategy.num_replicas_in_sync

    def load(step, replica):
        arrays = tf.numpy_function(
            read, [step, replica], [spec.dtype for spec in specs], stateful=False
        )
        for array, spec in zip(arrays, specs, strict=True):
            array.set_shape(spec.shape)
        return tuple(arrays)

    def of_worker(context):
        local = replicas // context.num_input_pipelines
        first = context.input_pipeline_id * local
        indices = tf.data.Dataset.range(count * local)
        shares = indices.map(lambda i: load(i // local, first + i % local))
        return shares.prefetch(2)

    return strategy.distribute_datasets_from_function(of_worker)
