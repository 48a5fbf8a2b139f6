"""Does a run that is killed again and again end as one that is left alone?

    python benchmarks/kill.py --workdir=/tmp/kill -- --dataset=shapes --task=tagger

runs `train.py` with the flags after `--` undisturbed, then with empty folders again,
killed (SIGKILL to its process group) at random moments of feature extraction and of
the rest, and compares every number that the two runs leave.
"""

import os
import pathlib
import random
import re
import shutil
import signal
import subprocess
import sys
import time
import zipfile

import h5py
import numpy as np
from absl import app, flags

flags.DEFINE_string("workdir", None, "Folder for both runs, emptied.", required=True)
flags.DEFINE_integer("kills", 3, "Kills during extraction, and as many after it.")
flags.DEFINE_integer("seed", 0, "Seed of the moments.")

TRAIN = pathlib.Path(__file__).parent.parent / "train.py"

# What the bar says of a stage: "... left: features of folder train, image 32/600".
_PROGRESS = re.compile(rb" left: ([^\r\n,]+), \w+ (\d+)/(\d+)")


def main(argv):
    folder = pathlib.Path(flags.FLAGS.workdir)
    alone, killed = folder / "undisturbed", folder / "killed"
    shutil.rmtree(folder, ignore_errors=True)
    process, timeline = start(argv[1:], alone), []
    began = time.monotonic()
    for bar, percent in progress(process):
        timeline.append((time.monotonic() - began, bar, percent))
    end = finish(process, alone) - began
    print(f"undisturbed: {end:.0f} s, {timeline[0][0]:.0f} s until the first progress")

    kills = 0
    for bar, percent, delay in moments(timeline, end):
        process = start(argv[1:], killed)
        for seen in progress(process):
            if seen[0] == bar and seen[1] >= percent:
                break
        time.sleep(delay)
        if process.poll() is None:
            os.killpg(process.pid, signal.SIGKILL)
            kills += 1
            bar = bar.decode(errors="replace")
            print(f"killed {delay:.1f} s after {percent}% of {bar}", flush=True)
        process.wait()
    process = start(argv[1:], killed)
    for _ in progress(process):
        pass
    finish(process, killed)

    compared, different = compare(alone / "run", killed / "run")
    print(f"{kills} kills, {compared} files compared, {len(different)} differ")
    if different:
        sys.exit(f"not the same: {', '.join(map(str, different))}")


def moments(timeline, end):
    """Random moments as `(bar, percent, seconds after it)`, in the order of a run."""
    times = [seconds for seconds, _, _ in timeline] + [end]
    spans = list(zip(timeline, np.diff(times).tolist(), strict=True))
    rng = random.Random(flags.FLAGS.seed)
    drawn = []
    for extracting in (True, False):
        phase = [span for span in spans if (b"features of" in span[0][1]) == extracting]
        for (seconds, bar, percent), length in rng.choices(
            phase, [length for _, length in phase], k=flags.FLAGS.kills
        ):
            delay = rng.uniform(0, length)
            drawn.append((seconds + delay, bar, percent, delay))
    return [moment[1:] for moment in sorted(drawn)]


def start(arguments, folder):
    folder.mkdir(parents=True, exist_ok=True)
    places = [f"--workdir={folder / 'run'}", f"--cache_dir={folder / 'cache'}"]
    # A terminal of its own: without one there is no bar.
    reading, terminal = os.openpty()
    with open(folder / "stdout.txt", "ab") as output:
        process = subprocess.Popen(
            [sys.executable, TRAIN, *arguments, *places],
            stdout=output,
            stderr=terminal,
            start_new_session=True,
        )
    os.close(terminal)
    process.terminal = reading
    return process


def progress(process):
    """`(bar, percent)`, as the process writes them, until it ends."""
    text = b""
    while chunk := read(process.terminal):
        text += chunk
        last = 0
        for match in _PROGRESS.finditer(text):
            yield match[1], 100 * int(match[2]) // int(match[3])
            last = match.end()
        text = text[last:]
    process.stderr_tail = text


def read(terminal):
    """What is written to a terminal; nothing at its end."""
    try:
        return os.read(terminal, 65536)
    except OSError:  # nobody has it open any more
        return b""


def finish(process, folder):
    """The time at which the process ended well."""
    if process.wait():
        tail = process.stderr_tail.decode(errors="replace")[-2000:]
        sys.exit(f"train.py failed in {folder}:\n{tail}")
    return time.monotonic()


def compare(one, other):
    """Number of files with numbers below two runs, and those that differ."""
    names = [
        {
            path.relative_to(run)
            for part in ("tagger", "captioner", "metrics")
            for path in (run / part).rglob("[!.]*")
            if path.suffix in _READERS
        }
        for run in (one, other)
    ]
    both = names[0] & names[1]
    differ = {name for name in both if content(one / name) != content(other / name)}
    return len(both), sorted(differ | (names[0] ^ names[1]))


def content(path):
    """What must be equal to the last bit, as a dict or bytes."""
    return _READERS[path.suffix](path)


def _arrays(path):
    with np.load(path, allow_pickle=False) as arrays:
        return {name: (a.shape, a.dtype.str, a.tobytes()) for name, a in arrays.items()}


def _weights(path):
    weights = {}

    def keep(name, item):
        if isinstance(item, h5py.Dataset):
            weights[name] = (item.shape, item[()].tobytes())

    with zipfile.ZipFile(path) as archive, archive.open("model.weights.h5") as file:
        with h5py.File(file) as h5:
            h5.visititems(keep)
    return weights


_READERS = {
    ".npy": pathlib.Path.read_bytes,
    ".npz": _arrays,
    ".keras": _weights,
    ".json": pathlib.Path.read_bytes,
    ".csv": pathlib.Path.read_bytes,
}


if __name__ == "__main__":
    app.run(main)
