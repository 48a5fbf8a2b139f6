"""Gradients of our own, which an export leaves out."""

import contextlib
import contextvars
import functools
from collections.abc import Callable, Iterator
from typing import Any

import tensorflow as tf

_LEFT_OUT = contextvars.ContextVar("left_out", default=False)


def custom_gradient(function: Callable) -> Callable:
    """`tf.custom_gradient`, but without the gradient within `left_out`.

    Args:
        function: Takes tensors and returns its values and the function of their
            gradients, as for `tf.custom_gradient`.

    Returns:
        A function of the tensors that returns the values.
    """
    differentiable = tf.custom_gradient(function)

    @functools.wraps(function)
    def call(*tensors: Any) -> Any:
        if _LEFT_OUT.get():
            values, _ = function(*tensors)
            return values
        return differentiable(*tensors)

    return call


@contextlib.contextmanager
def left_out() -> Iterator[None]:
    """What is traced in the block computes values alone.

    A graph that is saved cannot hold these gradients, and whoever loads it in Python
    would be warned of each one.

    Yields:
        Nothing.
    """
    token = _LEFT_OUT.set(True)
    try:
        yield
    finally:
        _LEFT_OUT.reset(token)
