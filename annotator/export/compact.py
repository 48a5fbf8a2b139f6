"""Weights in a quarter of their size: 8-bit integers, a scale for each channel."""

import json
import os
from collections.abc import Mapping
from typing import Any

import numpy as np
import safetensors
import safetensors.numpy

from annotator import files

# Smaller arrays are kept as they are: there is nothing to gain.
_LEAST_SIZE = 4096
_CODES = 127
_SCALE = ".scale"


def quantize(array: np.ndarray) -> tuple[np.ndarray, np.ndarray]:
    """Rounds an array to 8-bit integers, each channel by its own largest value.

    Args:
        array: float `[..., channels]`.

    Returns:
        `(codes, scale)`, int8 `[..., channels]` and float32 `[channels]`:
        `codes * scale` is the array, but for at most half a `scale`.
    """
    array = np.asarray(array, np.float32)
    largest = np.abs(array).max(axis=tuple(range(array.ndim - 1)), initial=0.0)
    scale = np.where(largest > 0, largest / _CODES, 1.0).astype(np.float32)
    return np.rint(array / scale).astype(np.int8), scale


def write_compact(
    path: str | os.PathLike, arrays: Mapping[str, np.ndarray], **about: Any
) -> None:
    """Writes arrays: large ones in 8 bits, the others as they are.

    Args:
        path: The `.safetensors` file.
        arrays: From a name to an array; only those of float32 and float64 are rounded.
        **about: What the file says of them, JSON-ready.
    """
    stored: dict[str, np.ndarray] = {}
    for name, array in arrays.items():
        array = np.asarray(array)
        is_float = array.dtype in (np.float32, np.float64)
        if is_float and array.ndim > 1 and array.size >= _LEAST_SIZE:
            stored[name], stored[name + _SCALE] = quantize(array)
        else:
            stored[name] = np.require(array, requirements="C")  # a scalar stays one
    # One entry: several would stand in the file in an order of their own.
    metadata = {"about": json.dumps(about)} if about else None
    with files.atomic_path(path) as temporary:
        safetensors.numpy.save_file(stored, temporary, metadata)


def read_compact(path: str | os.PathLike) -> dict[str, np.ndarray]:
    """Reads what `write_compact` wrote.

    Args:
        path: The `.safetensors` file.

    Returns:
        From a name to its array; float32 where it was rounded.

    Raises:
        ValueError: When the file is damaged.
    """
    try:
        stored = safetensors.numpy.load_file(path)
    except safetensors.SafetensorError as error:
        raise ValueError(f"{path} is damaged ({error}): install it again.") from error
    scales = {name for name in stored if name.endswith(_SCALE)}
    return {
        name: (
            array.astype(np.float32) * stored[name + _SCALE]
            if name + _SCALE in scales
            else array
        )
        for name, array in stored.items()
        if name not in scales
    }
