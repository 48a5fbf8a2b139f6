"""Do commands that are killed again and again end as ones that are left alone?

    python benchmarks/kill.py --workdir=/tmp/kill --kills=200 --full_disks=50
    python benchmarks/kill.py --workdir=/tmp/kill -- train --dataset=shapes

runs each long command undisturbed, on drawn images with tiny models: the extraction of
features with the training of a tagger, the training of a captioner, its epochs on
rewards, the extension of a tagger, and annotation with and without sidecars. Then it
runs the same in empty folders, and at random moments (of the time that a core worked
for it) kills it (SIGKILL to its process group), fills the disk until it ends, or stops
it for a while; the same command goes on. What the two leave is compared, every number
to the bit. A command behind `--` is run instead of these.

A disk that is full is a small file system in memory that is mounted for it, as root;
elsewhere none is filled. The commands are forks of this process, in which TensorFlow
has been imported and has computed nothing.
"""

import collections
import importlib.util
import pathlib
import random
import shutil
import signal
import sys
import time
import zipfile

import h5py
import numpy as np
from absl import app, flags
from common import cpu, draw_tagged
from disks import filled, small_disk
from forked import Forked, prepare

flags.DEFINE_string("workdir", None, "Folder of all runs, emptied.", required=True)
flags.DEFINE_integer("kills", 12, "Kills.")
flags.DEFINE_integer("full_disks", 6, "Times that the disk is full.")
flags.DEFINE_integer("stops", 6, "Times that a process is stopped and goes on.")
flags.DEFINE_integer("images", 96, "Images that are drawn.")
flags.DEFINE_integer("disk_mb", 192, "Size of the disk that is filled.")
flags.DEFINE_integer("seed", 0, "Seed of the moments.")
flags.DEFINE_list("only", [], "Names of the commands to run; by default all.")

FLAGS = flags.FLAGS
KINDS = ("kill", "full disk", "stop")
_STOPPED_SECONDS = 0.5
# A run is over before its moment came: it is begun again, but not for ever.
_TRIES = 20


def commands(folder):
    """Name -> a function of a run's folder that returns the command's arguments."""
    data, more = draw_tagged(folder / "images", FLAGS.images), folder / "more"
    draw_tagged(more, FLAGS.images // 2, seed=1)

    def train(run, task, *others, images=data):
        return [
            *("train", f"--task={task}", "--dataset=folder", f"--data_dir={images}"),
            *("--backbone_weights=random", "--precision=float32", "--scales=32"),
            *("--tap=block2_conv1", "--captioner_tap=block2_conv1", "--batch_size=8"),
            *("--components=8", "--codebook=4", "--min_count=1", "--max_length=8"),
            *("--layers=1", "--rounds=0", "--units=24", "--attention_units=12"),
            *("--caption_batch=8", "--checkpoint_steps=3", "--jit_compile=false"),
            *("--beams=1", "--dropout=0.1", "--learning_rate=0.01"),
            *(f"--workdir={run}", f"--cache_dir={run.parent / 'cache'}", *others),
        ]

    def annotate(run, output, *others):
        return [
            *("annotate", f"--images={data}", "--batch_size=8"),
            *(f"--output={run / 'records' / output}", *others),
        ]

    def model(name):
        return f"--model={folder / 'undisturbed' / name / 'run'}"

    rewards = ("--epochs=1", "--self_critical_epochs=1", "--self_critical_samples=2")
    tagger = model("tagger")
    found = {
        "tagger": lambda run: train(run, "tagger"),
        "captioner": lambda run: train(run, "captioner", "--epochs=2"),
        "rewards": lambda run: train(run, "captioner", *rewards),
        "extension": lambda run: train(
            run, "tagger", f"--extend={tagger.partition('=')[2]}", images=more
        ),
        "annotation": lambda run: annotate(run, "a.csv", tagger),
        "sidecars": lambda run: annotate(run, "a.jsonl", tagger, "--sidecars=xmp"),
    }
    if importlib.util.find_spec("pyspark") and shutil.which("java"):
        spark = ("--engine=spark", "--master=local[2]")
        found["spark"] = lambda run: annotate(run, "a.parquet", tagger, *spark)
    return found


class Trial:
    """One command, undisturbed and then not.

    Args:
        name: Its name.
        arguments: Function of a run's folder that returns its arguments.
        folder: Where the undisturbed runs lie.
        disturbed: Where it is disturbed.
    """

    def __init__(self, name, arguments, folder, disturbed):
        self.name, self.arguments = name, arguments
        self.alone, self.folder = folder / "undisturbed" / name, disturbed / name
        # Not on the disk that is filled: it is heard why a run ends.
        self.output = folder / f"{name}.txt"
        self.counts = collections.Counter()
        self.runs = self.compared = 0
        self.different = set()
        self.ends = collections.Counter()
        process = self.start(self.alone)
        self.seconds = 0.0
        while (taken := process.seconds) is not None:
            self.seconds = taken
            time.sleep(0.02)
        self.check(process)

    def start(self, folder):
        (folder / "run").mkdir(parents=True, exist_ok=True)
        return Forked(self.arguments(folder / "run"), self.output)

    def check(self, process):
        if process.wait():
            text = process.output.read_text(errors="replace")[-2000:]
            sys.exit(f"{self.name} failed with {process.poll()}:\n{text}")

    def disturb(self, kinds, rng):
        """Does these things to it, and compares whenever it has come to its end."""
        process = self.start(self.folder)
        for kind in kinds:
            for _ in range(_TRIES):
                taken = process.seconds or 0.0
                moment = rng.uniform(taken, max(self.seconds, taken + 0.5))
                if process.wait_for(moment):
                    break
                self.check(process)
                self.compare()
                process = self.start(self.folder)
            else:
                sys.exit(f"{self.name} was over before its moment came")
            self.counts[kind] += 1
            if kind == "stop":
                process.send(signal.SIGSTOP)
                time.sleep(_STOPPED_SECONDS)
                process.send(signal.SIGCONT)
                continue
            if kind == "kill":
                process.send(signal.SIGKILL)
                process.wait()
            else:
                with filled(self.folder):
                    code = process.wait()
                self.ends[code] += 1
            process = self.start(self.folder)
        self.check(process)
        self.compare()

    def compare(self):
        compared, different = compare(self.alone / "run", self.folder / "run")
        self.compared += compared
        self.different |= set(different)
        self.runs += 1
        shutil.rmtree(self.folder)
        if different:
            print(f"{self.name} differs: {', '.join(map(str, different))}")

    def row(self):
        full = ", ".join(f"{n} with code {code}" for code, n in self.ends.items())
        return [
            *(self.name, f"{self.seconds:.0f}"),
            *(self.counts[kind] for kind in KINDS),
            *(full or "-", self.runs, self.compared, len(self.different)),
        ]


def main(argv):
    folder = pathlib.Path(FLAGS.workdir)
    shutil.rmtree(folder, ignore_errors=True)
    folder.mkdir(parents=True)
    found = commands(folder)
    if argv[1:]:
        found = {argv[1]: lambda run: _placed(argv[1:], run)}
    prepare()
    print(f"{cpu()}; seconds of a core, beside the imports")
    rng = random.Random(FLAGS.seed)
    with small_disk(folder / "disk", FLAGS.disk_mb) as is_small:
        full = FLAGS.full_disks if is_small else 0
        if FLAGS.full_disks and not is_small:
            print("no full disks: to mount a small one takes root")
        kinds = [
            *["kill"] * FLAGS.kills,
            *["full disk"] * full,
            *["stop"] * FLAGS.stops,
        ]
        trials = []
        for name, arguments in found.items():
            # The others extend the tagger, or annotate with it.
            if name in (*(FLAGS.only or found), "tagger"):
                trials.append(Trial(name, arguments, folder, folder / "disk"))
                print(f"{name}: {trials[-1].seconds:.1f} s undisturbed", flush=True)
        wanted = [t for t in trials if t.name in (FLAGS.only or found)]
        for number, trial in enumerate(wanted):
            own = kinds[number :: len(wanted)]
            trial.disturb(rng.sample(own, len(own)), rng)
            print(*trial.row(), sep=" | ", flush=True)
    head = ["command", "s", "kills", "full disks", "stops", "ended then", "whole runs"]
    print("", " | ".join([*head, "files compared", "differ"]), sep="\n")
    print(" | ".join(["---"] * (len(head) + 2)))
    for trial in wanted:
        print(*trial.row(), sep=" | ")
    total = sum((trial.counts for trial in wanted), collections.Counter())
    counts = ", ".join(f"{total[kind]} {kind}s" for kind in KINDS)
    print(f"{counts}, {sum(len(t.different) for t in wanted)} files differ")
    sys.exit(any(trial.different for trial in wanted))


def _placed(arguments, run):
    return [*arguments, f"--workdir={run}", f"--cache_dir={run.parent / 'cache'}"]


def compare(one, other):
    """Number of files with numbers below two runs, and those that differ."""
    names = [
        {
            path.relative_to(run)
            for part in ("tagger", "captioner", "metrics", "records")
            for path in (run / part).rglob("[!.]*")
            if path.suffix in _READERS and not path.name.endswith(_OF_THE_TIME)
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


# When a run began, and what it took.
_OF_THE_TIME = (".settings.json", "_seconds.json", "training.json")
_READERS = {
    ".npy": pathlib.Path.read_bytes,
    ".npz": _arrays,
    ".keras": _weights,
    ".json": pathlib.Path.read_bytes,
    ".csv": pathlib.Path.read_bytes,
    ".jsonl": pathlib.Path.read_bytes,
    ".parquet": pathlib.Path.read_bytes,
}


if __name__ == "__main__":
    app.run(main)
