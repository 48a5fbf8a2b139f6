"""What several benchmarks need: images to work on, and the name of the machine."""

import csv
import itertools
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


def draw_tagged(folder, count, seed=0):
    """Small images that are light or dark, with tags and captions."""
    folder.mkdir(parents=True)
    rng = np.random.default_rng(seed)
    tags, captions = [("image", "tags", "split")], [("image", "caption", "split")]
    for i in range(count):
        word = ("light", "dark")[i % 2]
        pixels = rng.integers(0, 255, (16, 16, 3)) // (1, 4)[i % 2]
        Image.fromarray(np.uint8(pixels)).save(folder / f"{i}.png")
        split = "validation" if i % 6 == 5 else "train"
        tags.append((f"{i}.png", word, split))
        captions += [(f"{i}.png", f"a {word} {x}", split) for x in ("wall", "room")]
    for name, rows in (("tags.csv", tags), ("captions.csv", captions)):
        with open(folder / name, "w", newline="") as file:
            csv.writer(file).writerows(rows)
    return folder


def list_photographs(source, limit, folder):
    """Writes `folder/list`, a list of image files as `annotate.py` takes it.

    Args:
        source: A folder, pattern or list as `annotate.py` takes it, or `None` for
            drawn images.
        limit: Images at most.
        folder: An existing folder, also for the drawn images.

    Returns:
        `(names, path of the list)`.
    """
    from annotator.annotation.listing import list_images  # slow to import: flags first

    if source is None:
        source = folder / "images"
        draw_photographs(source, limit)
    names = list(itertools.islice(list_images(source), limit))
    listing = folder / "list"
    listing.write_bytes(b"\0".join(map(os.fsencode, names)))
    return names, listing


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
