"""What was measured during a training, read from TensorBoard's logs."""

import dataclasses
import os
import pathlib

import numpy as np


@dataclasses.dataclass(frozen=True)
class Curve:
    """A scalar over the steps of a training.

    Attributes:
        name: What TensorBoard calls it, such as `"validation/cider"`.
        steps: int64 `[T]`, ascending.
        values: float64 `[T]`.
    """

    name: str
    steps: np.ndarray
    values: np.ndarray


def read_curves(folder: str | os.PathLike[str]) -> dict[str, Curve]:
    """Reads the scalars of a folder of logs.

    A training that was interrupted and went on takes some steps twice: the later value
    counts.

    Args:
        folder: The folder; it may be missing.

    Returns:
        From each name to its curve, in the order in which they were first written.
        Values that are not finite are left out.
    """
    if not pathlib.Path(folder).is_dir():
        return {}
    import tensorflow as tf
    from tensorboard.backend.event_processing.event_accumulator import (
        TENSORS,
        EventAccumulator,
    )

    events = EventAccumulator(str(folder), {TENSORS: 0}).Reload()
    curves = {}
    for name in events.Tags()[TENSORS]:
        values: dict[int, float] = {}
        for event in sorted(events.Tensors(name), key=lambda event: event.wall_time):
            array = tf.make_ndarray(event.tensor_proto)
            if array.dtype.kind == "f" and array.ndim == 0:
                values[event.step] = float(array)
        steps = [step for step in sorted(values) if np.isfinite(values[step])]
        if steps:
            curves[name] = Curve(
                name, np.array(steps), np.array([values[step] for step in steps])
            )
    return curves


def smoothed(values: np.ndarray, width: int) -> np.ndarray:
    """The mean of each value and its neighbors, fewer of them at the ends.

    Args:
        values: float `[T]`.
        width: How many values a mean is taken of, an odd number.

    Returns:
        float `[T]`.
    """
    sums = np.cumsum(np.concatenate([[0.0], values]))
    places = np.arange(len(values))
    # As many on either side, so that a trend is not shifted at the ends.
    reach = np.minimum(width // 2, np.minimum(places, len(values) - 1 - places))
    first, last = places - reach, places + reach + 1
    return (sums[last] - sums[first]) / (last - first)
