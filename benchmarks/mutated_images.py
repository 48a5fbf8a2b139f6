"""Does the decoder survive any number of damaged images, in several threads?

    python benchmarks/mutated_images.py --count=1000000 --workers=4
    python benchmarks/mutated_images.py --count=200000 --repeats=20 --failing

Images of all formats with bytes flipped, spliced, cut off, and heads of one before
tails of another, go through `decode_ahead`; with `--failing`, images of which all fail,
so that threads raise at the same moment. It prints how many were read and refused, how
many a second, and by how much memory grew after the first tenth; one that is lost or
out of order is an error, and a run that stalls ends with exit code 2.
"""

import collections
import contextlib
import io
import itertools
import sys
import time

import numpy as np
from absl import app, flags
from common import cpu
from hostile_images import peak_and_resident
from PIL import Image

from annotator.config.watchdog import Watchdog

_COUNT = flags.DEFINE_integer("count", 10_000, "Images.")
_REPEATS = flags.DEFINE_integer("repeats", 1, "Times that it is done.")
_WORKERS = flags.DEFINE_integer("workers", 4, "Threads that decode.")
_FAILING = flags.DEFINE_bool("failing", False, "Only images that fail, at no cost.")
_SEED = flags.DEFINE_integer("seed", 0, "Seed of the damage.")
_STALL = flags.DEFINE_float("stall_seconds", 120, "Without an image, it has stalled.")

# Each fails elsewhere: at a check, in a decoder, and in code of ours.
FAILING = [
    b"no image",
    b"\xff\xd8\xff\xe0" + bytes(60),
    b"\x89PNG\r\n\x1a\n" + bytes(60),
    b"GIF89a" + bytes(60),
    b"BM" + bytes(80),
    b"RIFF\0\0\0\0WEBPVP8 " + bytes(40),
]


def seeds() -> list[bytes]:
    """Files of all formats."""
    rng = np.random.default_rng(0)
    rgba = Image.fromarray(np.uint8(rng.integers(0, 256, (24, 32, 4))))
    rgb, gray = rgba.convert("RGB"), rgba.convert("L")
    kinds = [
        *((rgb, "JPEG", {}), (rgb, "JPEG", {"progressive": True}), (gray, "JPEG", {})),
        *((rgb.convert("CMYK"), "JPEG", {}), (rgb, "PNG", {}), (rgba, "PNG", {})),
        *((rgb.convert("P"), "PNG", {}), (gray.convert("I;16"), "PNG", {})),
        *((rgb, "GIF", {}), (rgb, "BMP", {}), (gray, "BMP", {}), (rgba, "BMP", {})),
        *((rgb, "WEBP", {}), (rgb, "WEBP", {"lossless": True}), (rgba, "WEBP", {})),
        *((rgb, "TIFF", {}), (rgba, "TIFF", {"compression": "tiff_lzw"})),
        *((rgb, "JPEG2000", {}), (rgb, "AVIF", {"speed": 10})),
    ]
    with contextlib.suppress(ImportError):  # of the extra `photos`
        import pillow_heif

        pillow_heif.register_heif_opener()
        kinds.append((rgb, "HEIF", {}))
    files = []
    for image, kind, options in kinds:
        content = io.BytesIO()
        image.save(content, kind, **options)
        files.append(content.getvalue())
    return files


def mutated(rng: np.random.Generator, files: list[bytes]) -> bytes:
    """A file with some damage."""
    content = bytearray(files[rng.integers(len(files))])
    for _ in range(rng.integers(1, 5)):
        # Half of it meets the header, where most can go wrong.
        end = min(64, len(content)) if rng.random() < 0.5 else len(content)
        at = int(rng.integers(end)) if end else 0
        kind = rng.integers(6)
        if kind <= 1:
            content[at : at + 1] = rng.bytes(1)
        elif kind == 2:
            del content[at + 20 :]
        elif kind == 3:
            content[at:at] = rng.bytes(int(rng.integers(1, 9)))
        elif kind == 4:
            other = files[rng.integers(len(files))]
            content = bytearray(other[:at]) + content[at:]
        else:
            content[at:at] = content[at : at + int(rng.integers(1, 200))]
    return bytes(content)


def main(argv):
    del argv
    from annotator.images.read_ahead import decode_ahead
    from annotator.images.resize import Resize

    print(cpu())
    stalled = f"error: no image for {_STALL.value:g} s"
    with Watchdog(_STALL.value, stalled) as watchdog:
        for repeat in range(_REPEATS.value):
            rng = np.random.default_rng([_SEED.value, repeat])
            files = seeds()
            if _FAILING.value:
                contents = itertools.cycle(FAILING)
            else:
                contents = (mutated(rng, files) for _ in itertools.count())
            pairs = zip(range(_COUNT.value), contents, strict=False)
            found: collections.Counter = collections.Counter()
            start, first = time.monotonic(), 0.0
            decoded = decode_ahead(pairs, [Resize(32)], _WORKERS.value)
            for number, (name, views, error) in enumerate(decoded):
                watchdog.alive()
                if name != number or (views is None) == (error is None):
                    sys.exit(f"image {number} came as {name}: {error}")
                found["refused" if error else "read"] += 1
                if number % (_COUNT.value // 20 or 1) == 0:
                    print(f"{number} of {_COUNT.value}: {dict(found)}", flush=True)
                if number == _COUNT.value // 10:
                    _, first = peak_and_resident()
            if found.total() != _COUNT.value:
                sys.exit(f"of {_COUNT.value} images, {found.total()} came")
            speed = _COUNT.value / (time.monotonic() - start)
            growth = peak_and_resident()[1] - first
            print(f"{dict(found)}, {speed:.0f} a second, memory {growth:+.0f} MB")


if __name__ == "__main__":
    app.run(main)
