"""What becomes of a run where the system gives less than it needs?

    python benchmarks/surroundings.py --workdir=/tmp/surroundings

trains a tiny tagger, then annotates drawn images with it (and trains it once more,
where the cache is concerned) in each of these surroundings. A line tells the exit code,
the last line of what was said, and whether the same command, given again where nothing
is in the way, ends with the same records as an undisturbed run. The exit code is 1 if
one does not, or if a run hangs or crashes without a word. Mounts take root; what
cannot be tried is said.
"""

import ctypes
import os
import pathlib
import resource
import shutil
import signal
import sys
import time

from absl import app, flags
from common import cpu, draw_tagged
from disks import filled, small_disk
from forked import Forked, prepare

_WORKDIR = flags.DEFINE_string("workdir", None, "Folder, emptied.", required=True)
_ONLY = flags.DEFINE_string("only", "", "Surroundings whose names hold this.")
_IMAGES = 120
_CAPABILITIES = 0x20080522  # their version 3


class Surroundings:
    """A trained tagger, its images, and what an undisturbed run says of them."""

    def __init__(self, folder):
        self.folder = folder
        self.images = draw_tagged(folder / "images", _IMAGES)
        (self.images / "below").mkdir()
        shutil.copy(self.images / "0.png", self.images / "below" / "closed.png")
        self.run = folder / "run"
        self.must_end(self.training(self.run, folder / "cache"))
        self.records = folder / "undisturbed.jsonl"
        self.must_end(self.annotation(self.records))

    def training(self, run, cache):
        return [
            *(
                "train",
                "--task=tagger",
                "--dataset=folder",
                f"--data_dir={self.images}",
            ),
            *("--backbone_weights=random", "--precision=float32", "--scales=32"),
            *("--tap=block2_conv1", "--batch_size=8", "--components=8", "--codebook=4"),
            *(f"--workdir={run}", f"--cache_dir={cache}"),
        ]

    def annotation(self, output):
        return [
            *("annotate", f"--model={self.run}", f"--images={self.images}"),
            *(f"--output={output}", "--batch_size=8"),
        ]

    def begin(self, arguments, before=None):
        return Forked(arguments, self.folder / "output.txt", before)

    def end(self, process):
        """The exit code and the last line that it wrote."""
        code = process.wait(patience=300)
        lines = process.output.read_text(errors="replace").split("\n")
        said = [line for line in lines if line and "--verbosity=1" not in line]
        process.output.unlink()
        return code, said[-1] if said else ""

    def must_end(self, arguments):
        code, line = self.end(self.begin(arguments))
        if code:
            sys.exit(f"{arguments[0]} ended with {code}: {line}")

    def are_same(self, output):
        return output.read_bytes() == self.records.read_bytes()


def limited(kind, soft):
    """A function that limits a process."""

    def limit():
        _, hard = resource.getrlimit(kind)
        resource.setrlimit(kind, (soft, hard))

    return limit


def address_space():
    """As `ulimit -v` that leaves 64 MB beyond what is there already."""
    with open("/proc/self/statm") as file:
        pages = int(file.read().split()[0])
    size = pages * os.sysconf("SC_PAGE_SIZE") + 2**26
    resource.setrlimit(resource.RLIMIT_AS, (size, size))


def homeless():
    """No HOME, no user that has one, and a locale of ASCII."""
    for name in ("HOME", "XDG_STATE_HOME", "XDG_CACHE_HOME", "ANNOTATOR_STATE"):
        os.environ.pop(name, None)
    os.environ |= {"LANG": "C", "LC_ALL": "C"}


def without_override():
    """As anybody, for whom the rights of files count, also if this is root."""
    library = ctypes.CDLL(None)
    header, sets = (ctypes.c_uint32 * 2)(_CAPABILITIES, 0), (ctypes.c_uint32 * 6)()
    library.capget(header, sets)
    sets[0] &= ~(1 << 1 | 1 << 2)  # CAP_DAC_OVERRIDE, CAP_DAC_READ_SEARCH
    library.capset(header, sets)


# Each yields `(exit code, line)` of what was tried, and the output that is compared;
# it raises `Untried` where that takes more rights.
class Untried(Exception):
    """What this user may not try."""


def under(before):
    """Annotation in a process that is limited by a function, and then in another."""

    def attempt(at, folder):
        output = folder / "o.jsonl"
        yield at.end(at.begin(at.annotation(output), before))
        at.must_end(at.annotation(output))
        yield output

    return attempt


def output_is_a_link(at, folder):
    (folder / "elsewhere").write_text("mine")
    output = folder / "o.jsonl"
    output.symlink_to(folder / "elsewhere")
    yield at.end(at.begin(at.annotation(output)))
    if (folder / "elsewhere").read_text() != "mine":
        sys.exit("a file was written through a link")
    output.unlink()
    at.must_end(at.annotation(output))
    yield output


def output_is_a_folder(at, folder):
    output = folder / "o.jsonl"
    output.mkdir()
    yield at.end(at.begin(at.annotation(output)))
    output.rmdir()
    at.must_end(at.annotation(output))
    yield output


def full_disk(at, folder):
    output = folder / "disk" / "run" / "o.jsonl"
    with small_disk(folder / "disk", 1) as is_small:
        if not is_small:
            raise Untried("to mount a small disk takes root")
        output.parent.mkdir()
        with filled(output.parent) as filler:
            # Room for the settings and some records.
            os.truncate(filler, filler.stat().st_size - (12 << 10))
            yield at.end(at.begin(at.annotation(output)))
        at.must_end(at.annotation(output))
        shutil.copy(output, folder / "o.jsonl")
    yield folder / "o.jsonl"


def read_only_cache(at, folder):
    with small_disk(folder / "cache", 1, ",ro") as is_small:
        if not is_small:
            raise Untried("to mount a read-only disk takes root")
        yield at.end(at.begin(at.training(folder / "run", folder / "cache")))
    at.must_end(at.training(folder / "run", folder / "cache"))
    yield None


def two_at_once(at, folder):
    output = folder / "o.jsonl"
    first, second = (
        Forked(at.annotation(output), folder / f"{number}.txt") for number in (1, 2)
    )
    ends = sorted(at.end(each) for each in (first, second))
    if [code for code, _ in ends] == [0, 0]:
        yield 0, "both: one came when the other had ended"
    yield ends[1]
    yield output


def unreadable_folder(at, folder):
    output = folder / "o.jsonl"
    os.chmod(at.images / "below", 0)
    try:
        yield at.end(at.begin(at.annotation(output), without_override))
        if "Permission denied" not in output.read_text():
            sys.exit("what could not be read is not named")
    finally:
        os.chmod(at.images / "below", 0o755)
    at.must_end(at.annotation(folder / "again.jsonl"))
    yield folder / "again.jsonl"


def clock_set_back(at, folder):
    """All that a run wrote before it was killed is from tomorrow."""
    output = folder / "o.jsonl"
    process = at.begin(at.annotation(output))
    partial = folder / "o.jsonl.partial"
    while process.poll() is None and not (partial.exists() and partial.stat().st_size):
        time.sleep(0.005)
    process.send(signal.SIGKILL)
    process.wait()
    tomorrow = time.time() + 86_400
    for path in folder.rglob("*"):
        os.utime(path, (tomorrow, tomorrow))
    yield at.end(at.begin(at.annotation(output)))
    yield output


TRIED = {
    "output is a link": output_is_a_link,
    "output is a folder": output_is_a_folder,
    "output on a full disk": full_disk,
    "two processes, one output": two_at_once,
    "ulimit -v, 64 MB left": under(address_space),
    "ulimit -f, 16 KB": under(limited(resource.RLIMIT_FSIZE, 1 << 14)),
    "ulimit -n, 64 files": under(limited(resource.RLIMIT_NOFILE, 64)),
    "read-only cache": read_only_cache,
    "no HOME, LANG=C": under(homeless),
    "unreadable subfolder": unreadable_folder,
    "clock set back": clock_set_back,
}


def main(argv):
    del argv
    folder = pathlib.Path(_WORKDIR.value)
    shutil.rmtree(folder, ignore_errors=True)
    folder.mkdir(parents=True)
    prepare()
    print(cpu())
    at = Surroundings(folder)
    wrong = 0
    print("surroundings | exit code | what it said | the same records then")
    for number, (name, attempt) in enumerate(TRIED.items()):
        if _ONLY.value not in name:
            continue
        place = folder / str(number)
        place.mkdir()
        try:
            *ends, output = attempt(at, place)
        except Untried as error:
            print(f"{name} | not tried: {error}")
            continue
        code, line = ends[0]
        same = output is None or at.are_same(output)
        wrong += not same or (code != 0 and not line)
        line = line.replace(str(folder), "")[:150]
        print(name, code, line, "yes" if same else "NO", sep=" | ", flush=True)
    sys.exit(wrong > 0)


if __name__ == "__main__":
    app.run(main)
