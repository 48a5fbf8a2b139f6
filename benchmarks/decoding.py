"""What does an image cost until it is a view, and what did it cost at another commit?

    python benchmarks/decoding.py [--against=COMMIT]

Prints the milliseconds of a core from the content of a file to a view of 224 pixels,
by kind of file, the best of several rounds. With `--against`, what is checked out is
compared with a commit, whose tree is checked out elsewhere; the two take turns.
"""

import contextlib
import io
import json
import os
import pathlib
import resource
import subprocess
import sys
import tempfile

import numpy as np
from absl import app, flags
from common import cpu
from PIL import Image, ImageFilter

_AGAINST = flags.DEFINE_string("against", None, "A commit to compare with.")
_ROUNDS = flags.DEFINE_integer("rounds", 3, "Measurements of each kind.")
_TURNS = flags.DEFINE_integer("turns", 2, "Processes of each tree.")
_ONLY = flags.DEFINE_string("only", "", "Kinds whose names hold this.")
_JSON = flags.DEFINE_bool("json", False, "Print the milliseconds as JSON.")

ROOT = pathlib.Path(__file__).parents[1]
# Name -> width, height, format, options and how many make a round.
KINDS = {
    "JPEG, 384 x 256": (384, 256, "JPEG", {"quality": 90}, 200),
    "JPEG, 1,600 x 1,200": (1600, 1200, "JPEG", {"quality": 90}, 20),
    "JPEG, 1,600 x 1,200, progressive": (
        *(1600, 1200, "JPEG"),
        {"quality": 90, "progressive": True},
        20,
    ),
    "PNG, 384 x 256": (384, 256, "PNG", {}, 200),
    "PNG, 1,600 x 1,200": (1600, 1200, "PNG", {}, 20),
    "GIF, 384 x 256": (384, 256, "GIF", {}, 200),
    "WebP, 384 x 256": (384, 256, "WEBP", {}, 200),
    "BMP, 384 x 256": (384, 256, "BMP", {}, 200),
    "TIFF, 384 x 256": (384, 256, "TIFF", {}, 200),
    "TIFF, 1,600 x 1,200": (1600, 1200, "TIFF", {}, 20),
    "JPEG 2000, 1,600 x 1,200": (1600, 1200, "JPEG2000", {}, 4),
    "AVIF, 1,600 x 1,200": (1600, 1200, "AVIF", {"speed": 10}, 8),
}


def photograph(width, height) -> Image.Image:
    """An image with detail at several scales."""
    rng = np.random.default_rng(0)
    layers = [
        Image.fromarray(rng.integers(0, 256, (*size, 3), np.uint8)).resize(
            (width, height), Image.Resampling.BICUBIC
        )
        for size in ((4, 6), (32, 48), (height, width))
    ]
    image = Image.blend(Image.blend(layers[0], layers[1], 0.3), layers[2], 0.15)
    return image.filter(ImageFilter.SMOOTH)


def core_seconds() -> float:
    """Seconds of a core of this process and of those it has ended."""
    used = [
        resource.getrusage(who)
        for who in (resource.RUSAGE_SELF, resource.RUSAGE_CHILDREN)
    ]
    return sum(each.ru_utime + each.ru_stime for each in used) + _living_children()


def _living_children():
    ticks = 0
    with open(f"/proc/self/task/{os.getpid()}/children") as file:
        for child in file.read().split():
            with contextlib.suppress(OSError), open(f"/proc/{child}/stat") as stat:
                ticks += sum(map(int, stat.read().rpartition(") ")[2].split()[11:13]))
    return ticks / os.sysconf("SC_CLK_TCK")


def measure() -> dict[str, float]:
    """Milliseconds of a core that an image takes, by kind."""
    from annotator.images.read_ahead import decode_ahead
    from annotator.images.resize import Resize

    found = {}
    for name, (width, height, kind, options, count) in KINDS.items():
        if _ONLY.value not in name:
            continue
        buffer = io.BytesIO()
        photograph(width, height).save(buffer, kind, **options)
        content = buffer.getvalue()
        times = []
        for turn in range(_ROUNDS.value + 1):
            pairs = [(i, content) for i in range(count if turn else 2)]
            start = core_seconds()
            errors = [e for *_, e in decode_ahead(pairs, [Resize(224)], workers=1) if e]
            times.append(1000 * (core_seconds() - start) / len(pairs))
            if errors:  # of a format that this tree does not know
                break
        else:
            found[name] = min(times[1:])
    return found


def compare(commit):
    """Measures both trees in turns; returns the best of each."""
    best = ({}, {})
    with tempfile.TemporaryDirectory() as folder:
        tree = pathlib.Path(folder, "tree")
        git = ["git", "-C", ROOT, "worktree"]
        subprocess.run([*git, "add", "-q", "--detach", tree, commit], check=True)
        try:
            for _ in range(_TURNS.value):
                for place, known in zip((tree, ROOT), best, strict=True):
                    for name, ms in _measured_in(place).items():
                        known[name] = min(ms, known.get(name, ms))
        finally:
            subprocess.run([*git, "remove", "--force", tree], check=True)
    return best


def _measured_in(tree):
    command = [sys.executable, __file__, "--json", f"--only={_ONLY.value}"]
    output = subprocess.run(
        [*command, f"--rounds={_ROUNDS.value}"],
        cwd=tree,
        env={**os.environ, "PYTHONPATH": str(tree)},
        stdout=subprocess.PIPE,
        text=True,
        check=True,
    ).stdout
    return json.loads(output.splitlines()[-1])


def main(argv):
    del argv
    os.environ.setdefault("TF_CPP_MIN_LOG_LEVEL", "2")
    if _JSON.value:
        print(json.dumps(measure()))
        return
    print(f"{cpu()}; milliseconds of a core for an image")
    if not _AGAINST.value:
        for name, ms in measure().items():
            print(f"{name:34}{ms:8.2f}")
        return
    before, after = compare(_AGAINST.value)
    print(f"{'':34}{_AGAINST.value[:9]:>10}{'here':>10}{'ratio':>8}")
    for name in after:
        if name in before:
            ratio = f"{after[name] / before[name]:8.2f}"
            print(f"{name:34}{before[name]:10.2f}{after[name]:10.2f}{ratio}")
        else:
            print(f"{name:34}{'':10}{after[name]:10.2f}")


if __name__ == "__main__":
    app.run(main)
