r"""What the worst image files cost: seconds and memory of reading each, or its refusal.

    python benchmarks/hostile_images.py [--only=PNG] [--seconds=2] [--megabytes=600]

Each file is made here. A line tells its size, the seconds of one core that reading it
into a view of 224 pixels took, the memory that it took at its peak beyond what the
process had, and what became of it. The exit code is 1 if one took more than may be.
"""

import io
import os
import resource
import struct
import sys
import time
import zlib

import numpy as np
from absl import app, flags
from common import cpu
from hostile_photos import photo_files
from PIL import Image

_ONLY = flags.DEFINE_string("only", "", "Files whose names hold this.")
_SECONDS = flags.DEFINE_float("seconds", 2.0, "Seconds of a core that a file may take.")
_MEGABYTES = flags.DEFINE_integer("megabytes", 600, "Memory that a file may take.")

SIDE = 8192  # squared, the most pixels that are read


def chunk(kind: bytes, data: bytes) -> bytes:
    """A chunk of PNG."""
    checksum = zlib.crc32(kind + data)
    return struct.pack(">I", len(data)) + kind + data + struct.pack(">I", checksum)


def png(
    width: int,
    height: int,
    bits: int = 8,
    color: int = 2,
    before: bytes = b"",
    after: bytes = b"",
    interlaced: bool = False,
    piece: int = 1 << 30,
    filtered: int = 0,
    noise: bool = False,
) -> bytes:
    """A PNG of one value, or of noise, with more chunks before and after the pixels."""
    channels = {0: 1, 2: 3, 3: 1, 4: 2, 6: 4}[color]
    row = bytes([filtered]) + bytes(width * channels * bits // 8)
    packer = zlib.compressobj(0 if noise else 1)
    rows = height + 8 if interlaced else height
    random = np.random.default_rng(0)
    data = b""
    for _ in range(rows * (2 if interlaced else 1)):
        if noise:
            row = bytes([filtered]) + random.bytes(len(row) - 1)
        data += packer.compress(row)
    data += packer.flush()
    header = struct.pack(">IIBBBBB", width, height, bits, color, 0, 0, int(interlaced))
    palette = chunk(b"PLTE", bytes(768)) if color == 3 else b""
    pieces = [data[i : i + piece] for i in range(0, len(data), piece)]
    return b"".join(
        [
            b"\x89PNG\r\n\x1a\n",
            chunk(b"IHDR", header),
            before,
            palette,
            *(chunk(b"IDAT", each) for each in pieces),
            after,
            chunk(b"IEND", b""),
        ]
    )


def encoded(image: Image.Image, kind: str, **options) -> bytes:
    """A file of an image."""
    content = io.BytesIO()
    image.save(content, kind, **options)
    return content.getvalue()


def photograph() -> bytes:
    """A JPEG of 10,240 x 9,766 pixels with the detail and grain of a photograph."""
    blurred = Image.effect_noise((320, 320), 120).resize((2560, 2560), Image.BICUBIC)
    grain = Image.effect_noise((2560, 2560), 12)
    tile = Image.merge("RGB", [Image.blend(blurred, grain, w) for w in (0.2, 0.3, 0.4)])
    whole = Image.new("RGB", (10_240, 9_766))
    for place in range(16):
        whole.paste(tile, (place % 4 * 2560, place // 4 * 2560))
    return encoded(whole, "JPEG", quality=90)


def scans(side: int, count: int) -> bytes:
    """A progressive JPEG with its last scan many times over."""
    data = encoded(Image.new("RGB", (side, side)), "JPEG", progressive=True)
    begin = data.rindex(b"\xff\xda")
    scan = data[begin:-2]
    return data[:begin] + scan * count + data[-2:]


def texts(kind: bytes, count: int, size: int = 10**6) -> bytes:
    """Chunks of compressed text."""
    packed = zlib.compress(bytes(size), 9)
    head = b"k\0\0" if kind == b"zTXt" else b"k\0\1\0\0\0"
    return chunk(kind, head + packed) * count


def files():
    """Yields `(name, function that makes the file)`."""
    flat = Image.new("RGB", (SIDE, SIDE), (200, 10, 90))
    rgba = Image.new("RGBA", (SIDE, SIDE), (200, 10, 90, 128))
    noise = Image.effect_noise((4096, 4096), 90).convert("RGB")
    for kind in (b"zTXt", b"iTXt"):
        name = kind.decode()
        yield (
            f"PNG, 2,000 {name} before",
            lambda k=kind: png(10, 10, before=texts(k, 2000, 10**7)),
        )
        yield (
            f"PNG, 2,000 {name} after",
            lambda k=kind: png(10, 10, after=texts(k, 2000, 10**7)),
        )
    yield (
        "PNG, iCCP bomb",
        lambda: png(
            10, 10, before=chunk(b"iCCP", b"k\0\0" + zlib.compress(bytes(10**9), 9))
        ),
    )
    yield (
        "PNG, 5,000,000 empty chunks",
        lambda: png(10, 10, before=chunk(b"aaAa", b"") * 5_000_000),
    )
    yield "PNG, in pieces of 1 byte", lambda: png(300, 500, noise=True, piece=1)
    yield (
        "PNG, in pieces of 8,192 bytes",
        lambda: png(4600, 4600, noise=True, piece=8192),
    )
    yield "PNG, 64 megapixels", lambda: png(SIDE, SIDE)
    yield "PNG, 64 megapixels, Paeth", lambda: png(SIDE, SIDE, filtered=4)
    yield "PNG, 64 megapixels, alpha", lambda: png(SIDE, SIDE, color=6)
    yield "PNG, 64 megapixels, 16 bits", lambda: png(SIDE, SIDE, bits=16)
    yield (
        "PNG, 64 megapixels, 16 bits, alpha",
        lambda: png(SIDE, SIDE, bits=16, color=6, filtered=4),
    )
    yield (
        "PNG, 64 megapixels, gray, 16 bits, alpha",
        lambda: png(SIDE, SIDE, bits=16, color=4),
    )
    yield "PNG, 64 megapixels, palette", lambda: png(SIDE, SIDE, color=3)
    yield (
        "PNG, 64 megapixels, interlaced, alpha",
        lambda: png(SIDE, SIDE, color=6, interlaced=True),
    )
    yield "PNG, one row of 67 million", lambda: png(2**26, 1, color=6, bits=16)
    yield "JPEG, 64 megapixels", lambda: encoded(flat, "JPEG")
    yield "JPEG, 64 megapixels, 4:4:4", lambda: encoded(flat, "JPEG", subsampling=0)
    yield (
        "JPEG, 64 megapixels, progressive",
        lambda: encoded(flat, "JPEG", progressive=True),
    )
    yield (
        "JPEG, 64 megapixels, progressive, 4:4:4",
        lambda: encoded(flat, "JPEG", progressive=True, subsampling=0),
    )
    yield "JPEG, photograph of 100 megapixels", photograph
    yield "JPEG, noise of 16 megapixels", lambda: encoded(noise, "JPEG", quality=95)
    yield (
        "JPEG, noise, progressive",
        lambda: encoded(noise, "JPEG", quality=90, progressive=True),
    )
    yield "JPEG, 882 scans of 4 megapixels", lambda: scans(2048, 882)
    yield "JPEG, 20,000 scans of 1 megapixel", lambda: scans(1024, 20_000)
    yield "JPEG, 16 scans of 64 megapixels", lambda: scans(SIDE, 16)
    yield "JPEG, 64 megapixels, turned", lambda: encoded(flat, "JPEG", exif=_exif(6))
    yield "JPEG, 64 megapixels, CMYK", lambda: encoded(flat.convert("CMYK"), "JPEG")
    yield "GIF, 64 megapixels", lambda: encoded(flat.convert("P"), "GIF")
    yield "BMP, 64 MB", lambda: encoded(Image.new("RGB", (4700, 4700)), "BMP")
    yield "BMP, palette", lambda: encoded(Image.new("P", (8000, 8000)), "BMP")
    yield "WebP, 64 megapixels, lossy", lambda: encoded(flat, "WEBP", method=0)
    yield (
        "WebP, 64 megapixels, lossless",
        lambda: encoded(flat, "WEBP", lossless=True, method=0),
    )
    yield "WebP, 64 megapixels, alpha", lambda: encoded(rgba, "WEBP", method=0)
    yield "WebP, noise of 16 megapixels", lambda: encoded(noise, "WEBP", method=0)
    yield "GIF, noise of 16 megapixels", lambda: encoded(noise.convert("L"), "GIF")
    yield from photo_files()


def _exif(orientation):
    exif = Image.Exif()
    exif[0x0112] = orientation
    return exif.tobytes()


def peak_and_resident() -> tuple[float, float]:
    """MB of this process at its peak and at present."""
    with open("/proc/self/status") as file:
        values = dict(line.split(":", 1) for line in file)
    return tuple(int(values[name].split()[0]) / 1024 for name in ("VmHWM", "VmRSS"))


def read(content: bytes, views) -> tuple[float, float, str]:
    """Seconds, MB and what became of a file, with the process that converts it."""
    import tensorflow as tf

    from annotator.images.errors import message
    from annotator.images.photos import converters, graph_content

    # A process of its own for each file: its peak is this file's.
    converters._CONVERTERS.close()
    graph_content(encoded(Image.new("RGB", (9, 9)), "TIFF"))
    elsewhere = Elsewhere(converters._CONVERTERS)
    with open("/proc/self/clear_refs", "w") as file:
        file.write("5")  # the peak begins anew
    _, before = peak_and_resident()
    start = time.process_time()
    try:
        views(graph_content(content))
        outcome = "read"
    except tf.errors.OpError as error:
        outcome = f"refused: {message(error)[:90]}"
    except ValueError as error:
        outcome = f"refused: {str(error)[:90]}"
    seconds = time.process_time() - start
    megabytes = peak_and_resident()[0] - before
    others = elsewhere.taken()
    # Not both at a time: a file is converted before it is decoded.
    return seconds + others[0], max(megabytes, others[1]), outcome


class Elsewhere:
    """What the one process that converts files takes from here on."""

    def __init__(self, converters):
        (self.converter,) = converters._idle
        self.start = self._of_process()
        self.ended = resource.getrusage(resource.RUSAGE_CHILDREN)

    def taken(self) -> tuple[float, float]:
        """Seconds, and MB at the peak beyond what it had at rest."""
        if self.converter.is_good:
            seconds, megabytes = self._of_process()
        else:
            used = resource.getrusage(resource.RUSAGE_CHILDREN)
            seconds = used.ru_utime + used.ru_stime
            seconds -= self.ended.ru_utime + self.ended.ru_stime
            megabytes = used.ru_maxrss / 1024  # of the largest so far
        return seconds - self.start[0], megabytes - self.start[1]

    def _of_process(self):
        place = f"/proc/{self.converter._process.pid}"
        with open(f"{place}/stat") as file:
            ticks = sum(map(int, file.read().rpartition(") ")[2].split()[11:13]))
        with open(f"{place}/status") as file:
            (peak,) = (line for line in file if line.startswith("VmHWM"))
        return ticks / os.sysconf("SC_CLK_TCK"), int(peak.split()[1]) / 1024


def main(argv):
    del argv
    import tensorflow as tf

    from annotator.images.decode import decode_image
    from annotator.images.resize import Resize

    tf.config.threading.set_intra_op_parallelism_threads(1)
    resize = Resize(224)

    @tf.function(input_signature=[tf.TensorSpec([], tf.string)])
    def views(content):
        return resize(decode_image(content))

    views(encoded(Image.new("RGB", (9, 9)), "PNG"))
    too_much = 0
    print(cpu())
    print(f"{'file':42} {'MB':>6} {'s':>7} {'MB':>7}")
    for name, make in files():
        if _ONLY.value not in name:
            continue
        content = make()
        seconds, megabytes, outcome = read(content, views)
        within = seconds <= _SECONDS.value and megabytes <= _MEGABYTES.value
        too_much += not within
        print(
            f"{name:42} {len(content) / 2**20:6.1f} {seconds:7.2f} {megabytes:7.0f} "
            f"{outcome}{'' if within else '  TOO MUCH'}",
            flush=True,
        )
    sys.exit(too_much > 0)


if __name__ == "__main__":
    app.run(main)
