"""The precision that a network computes in, and Keras's policy for it."""

import contextlib
import pathlib
from collections.abc import Iterator

import keras
import tensorflow as tf

PRECISIONS = ("auto", "float32", "bfloat16")


def resolve_precision(precision: str = "auto") -> str:
    """Chooses the precision that `"auto"` stands for on this machine.

    Args:
        precision: One of `PRECISIONS`.

    Returns:
        `"bfloat16"` where the hardware has bfloat16 arithmetic (a CPU with AMX or
        AVX512-BF16, a GPU of compute capability 8.0 or later, a TPU), else
        `"float32"`; any other precision is returned as it is.

    Raises:
        ValueError: When `precision` is not one of `PRECISIONS`.
    """
    if precision not in PRECISIONS:
        raise ValueError(f"precision must be one of {PRECISIONS}, got {precision!r}.")
    if precision != "auto":
        return precision
    if tf.config.list_logical_devices("TPU"):
        return "bfloat16"
    gpus = tf.config.list_physical_devices("GPU")
    if gpus:
        details = tf.config.experimental.get_device_details(gpus[0])
        native = details.get("compute_capability", (0, 0)) >= (8, 0)
        return "bfloat16" if native else "float32"
    # Linux only; elsewhere the file is missing and float32 is the safe answer.
    with contextlib.suppress(OSError):
        text = pathlib.Path("/proc/cpuinfo").read_text(encoding="utf-8")
        if "amx_bf16" in text or "avx512_bf16" in text:
            return "bfloat16"
    return "float32"


@contextlib.contextmanager
def dtype_policy(policy: str) -> Iterator[None]:
    """Sets Keras's global policy for a block.

    `keras.applications` takes its precision from the global policy alone.

    Args:
        policy: As for `keras.config.set_dtype_policy`.

    Yields:
        Nothing.
    """
    previous = keras.config.dtype_policy()
    keras.config.set_dtype_policy(policy)
    try:
        yield
    finally:
        keras.config.set_dtype_policy(previous)
