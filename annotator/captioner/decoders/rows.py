"""Rows of images, and rows of the captions or beams that each image has.

In everything of N rows those of an image stand in succession.
"""

import typing

import tensorflow as tf


def repeat_rows(tensors: typing.Any, count: tf.Tensor | int) -> typing.Any:
    """Rows of images as rows of captions: each of them some times in succession.

    Args:
        tensors: Nested tensors `[B, ...]`.
        count: C.

    Returns:
        The same nest, of tensors `[B * C, ...]`.
    """
    return tf.nest.map_structure(lambda x: tf.repeat(x, count, axis=0), tensors)


def group_rows(tensor: tf.Tensor, images: tf.Tensor | int) -> tf.Tensor:
    """Rows of captions by their image.

    Args:
        tensor: `[N, ...]`.
        images: B.

    Returns:
        `[B, N / B, ...]`.
    """
    return tf.reshape(tensor, tf.concat([[images, -1], tensor.shape[1:]], 0))
