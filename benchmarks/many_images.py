"""Does annotation of a large folder end, with every file in its place and memory flat?

    python benchmarks/many_images.py --model=runs/tiny --workdir=/tmp/many
    python benchmarks/many_images.py --model=... --workdir=... --files=10000 --damaged

draws `--files` small images in one folder, or with `--damaged` writes files of all
formats with bytes flipped, spliced and cut off, and runs `annotator annotate` over
them. Tenth by tenth it prints how many records there are, the time, and by how much
memory grew since the first tenth; then how many have an error. The exit code is 1 where
a file has no record, has two, or they stand in another order than the files' names.
Needs Linux.
"""

import io
import json
import os
import pathlib
import shutil
import sys
import time

import numpy as np
from absl import app, flags
from common import cpu
from forked import Forked, prepare
from mutated_images import mutated, seeds
from PIL import Image

_MODEL = flags.DEFINE_string("model", None, "A trained model.", required=True)
_WORKDIR = flags.DEFINE_string("workdir", None, "Folder, emptied.", required=True)
_FILES = flags.DEFINE_integer("files", 50_000, "Files.")
_DAMAGED = flags.DEFINE_bool("damaged", False, "Whether the files are damaged.")
_MOST = flags.DEFINE_float("most_seconds", 3600, "When it is ended all the same.")


def draw(folder: pathlib.Path) -> None:
    """Writes the files; their names' order is that of their numbers."""
    rng = np.random.default_rng(0)
    files = seeds()
    for number in range(_FILES.value):
        if _DAMAGED.value:
            content = mutated(rng, files)
        else:
            buffer = io.BytesIO()
            pixels = rng.integers(0, 255, (16, 16, 3), np.uint8)
            Image.fromarray(pixels).save(buffer, "JPEG")
            content = buffer.getvalue()
        (folder / f"{number:06d}.jpg").write_bytes(content)


def megabytes(process: Forked) -> float:
    """What a process holds."""
    with open(f"/proc/{process.pid}/statm") as file:
        return int(file.read().split()[1]) * os.sysconf("SC_PAGE_SIZE") / 2**20


def count_lines(path: pathlib.Path) -> int:
    """Lines of a file, 0 where there is none."""
    try:
        with open(path, "rb") as file:
            return sum(
                piece.count(b"\n") for piece in iter(lambda: file.read(2**20), b"")
            )
    except FileNotFoundError:
        return 0


def annotate(images, output) -> None:
    """Runs the command, and prints how it goes, tenth by tenth."""
    start = time.monotonic()
    arguments = [f"--model={_MODEL.value}", f"--images={images}", f"--output={output}"]
    process = Forked(["annotate", *arguments], output.with_name("said.txt"))
    partial = output.with_name(output.name + ".partial")
    first, tenth = None, 0
    while process.poll() is None and time.monotonic() < start + _MOST.value:
        done = max(count_lines(partial), count_lines(output))
        if process.poll() is None and 10 * done >= (tenth + 1) * _FILES.value:
            tenth = 10 * done // _FILES.value
            held = megabytes(process)
            first = held if first is None else first
            cells = [f"{done} records", f"{time.monotonic() - start:.0f} s"]
            print(*cells, f"{held - first:+.0f} MB", sep=", ", flush=True)
        time.sleep(0.5)
    if process.poll() is None:
        process.send(15)
        process.wait()
        sys.exit(f"not at its end after {_MOST.value:g} s")
    print(f"exit code {process.poll()}, {time.monotonic() - start:.0f} s")


def main(argv):
    del argv
    folder = pathlib.Path(_WORKDIR.value)
    shutil.rmtree(folder, ignore_errors=True)
    (folder / "images").mkdir(parents=True)
    draw(folder / "images")
    prepare()
    print(cpu())
    output = folder / "records.jsonl"
    annotate(folder / "images", output)
    with open(output, encoding="utf-8") as file:
        records = [json.loads(line) for line in file]
    names = [pathlib.Path(record["image"]).name for record in records]
    failed = sum("error" in record for record in records)
    whole = names == [f"{number:06d}.jpg" for number in range(_FILES.value)]
    print(
        f"{len(records)} records, {failed} with an error; each file once and in order:"
    )
    print("yes" if whole else "NO")
    sys.exit(not whole)


if __name__ == "__main__":
    app.run(main)
