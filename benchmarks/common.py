"""What several benchmarks need: images to work on, and the name of the machine."""

import os
import pathlib

import numpy as np
from PIL import Image, ImageFilter


def draw_photographs(folder, count):
    """JPEG files of 384 x 256 pixels with detail at several scales; their paths."""
    folder.mkdir(exist_ok=True)
    rng = np.random.default_rng(0)
    paths = []
    for number in range(count):
        layers = [
            Image.fromarray(rng.integers(0, 256, (*size, 3), np.uint8)).resize(
                (384, 256), Image.Resampling.BICUBIC
            )
            for size in ((4, 6), (32, 48), (256, 384))
        ]
        image = Image.blend(Image.blend(layers[0], layers[1], 0.3), layers[2], 0.15)
        paths.append(folder / f"{number:05d}.jpg")
        image.filter(ImageFilter.SMOOTH).save(paths[-1], quality=90)
    return paths


def cpu():
    """The processor's name and what it knows of bfloat16, on Linux."""
    try:
        text = pathlib.Path("/proc/cpuinfo").read_text(encoding="utf-8")
    except OSError:
        return f"{os.cpu_count()} cores"
    (name, *_) = [x for x in text.splitlines() if x.startswith("model name")] or ["?"]
    known = [name for name in ("amx_bf16", "avx512_bf16") if name in text]
    native = ", ".join(known) or "no bfloat16"
    return f"{os.cpu_count()} cores of {name.partition(':')[2].strip()} ({native})"
