"""What a run computes on, in words."""

import os
import pathlib
import platform

import tensorflow as tf


def processor() -> str:
    """Names the device: the GPU where there is one, else the processor and its cores.

    Returns:
        Such as `"2 cores of AMD EPYC 7B12"`: the cores are those that this process may
        use.
    """
    gpus = tf.config.list_physical_devices("GPU")
    if gpus:
        details = tf.config.experimental.get_device_details(gpus[0])
        return f"{len(gpus)} x {details.get('device_name', 'GPU')}"
    cores = os.cpu_count() or 1
    if hasattr(os, "sched_getaffinity"):
        cores = len(os.sched_getaffinity(0))
    return f"{cores} core{'s' if cores > 1 else ''} of {_model()}"


def _model():
    try:  # Linux
        text = pathlib.Path("/proc/cpuinfo").read_text(encoding="utf-8")
    except OSError:
        text = ""
    names = [
        line.partition(":")[2].strip()
        for line in text.splitlines()
        if line.startswith("model name")
    ]
    return next(filter(None, [*names, platform.processor(), platform.machine()]), "?")
