"""Weights that are cast once for a whole loop over words."""

import contextlib
from collections.abc import Iterator

import keras
import tensorflow as tf

from annotator.keras_support import internals


@contextlib.contextmanager
def weights_cast_once(model: keras.Model) -> Iterator[None]:
    """Within it, layers read weights that were read and cast at its beginning.

    Without it they would be at every word. Those that layers use in float32 are only
    read. No weight may be assigned meanwhile.

    Args:
        model: The model, whose compute dtype is that of its layers.

    Yields:
        Nothing.
    """
    scope = keras.StatelessScope()
    for weight in model.weights:
        value = weight.value
        if internals.is_autocast(weight):
            value = tf.cast(value, model.compute_dtype)
        scope.add_update((weight, value))
    with scope:
        yield
