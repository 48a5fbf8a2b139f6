"""How long do one machine and a cluster of Spark take for the same images?

    python benchmarks/spark.py --model=WORKDIR/export --images=FOLDER --kill

runs `annotate.py` with the local engine, then with a standalone master and two workers
on this machine, each a process with its share of the cores, and with `--kill` once more
while a worker and all it started is killed after the first finished task. It prints the
time of each from start to end, loading included, and whether the records are the same.
Without `--images` it draws JPEG files. Needs the extra `spark` and Java 17.
"""

import json
import os
import pathlib
import subprocess
import sys
import tempfile
import time

from absl import app, flags
from common import cpu, list_photographs
from spark_cluster import environment, kill, standalone_cluster, wait_for_task

flags.DEFINE_multi_string("model", None, "An export, as annotate.py.", required=True)
flags.DEFINE_string("images", None, "Folder, pattern or list, as annotate.py.")
flags.DEFINE_integer("limit", 1000, "Images at most.", lower_bound=1)
flags.DEFINE_integer("batch_size", 32, "Images per pass.", lower_bound=1)
flags.DEFINE_bool("kill", False, "Also run with a worker that is killed.")

FLAGS = flags.FLAGS
ROOT = pathlib.Path(__file__).resolve().parent.parent
WORKERS = 2


def main(argv):
    if len(argv) > 1:
        raise app.UsageError(f"Unexpected arguments: {argv[1:]}")
    sys.path.insert(0, str(ROOT))

    with tempfile.TemporaryDirectory() as folder:
        folder = pathlib.Path(folder)
        names, listing = list_photographs(FLAGS.images, FLAGS.limit, folder)
        cores = max(1, os.cpu_count() // WORKERS)
        print(f"{len(names)} images, {WORKERS} workers of {cores} cores, {cpu()}")
        seconds, expected = {}, folder / "local.jsonl"
        seconds["local"] = run(listing, expected)
        for name in ("spark", "killed")[: 1 + FLAGS.kill]:
            output = folder / f"{name}.jsonl"
            with standalone_cluster(folder / name, WORKERS, cores) as (master, workers):
                conf = {"spark.executor.cores": cores, "spark.task.cpus": cores}
                victim = workers[0] if name == "killed" else None
                seconds[name] = run(listing, output, master, conf, victim)
            print(f"{name}: {compare(expected, output)}")
    print(f"\n{'engine':12}{'seconds':>9}{'images/s':>10}{'of local':>10}")
    for name, each in seconds.items():
        ratio = each / seconds["local"]
        print(f"{name:12}{each:9.1f}{len(names) / each:10.2f}{ratio:9.2f}x")


def run(listing, output, master=None, conf=(), victim=None):
    """Seconds that `annotate.py` takes; `victim` is killed on the way."""
    command = [sys.executable, ROOT / "annotate.py", f"--images={listing}"]
    command += [f"--model={path}" for path in FLAGS.model]
    command += [f"--output={output}", f"--batch_size={FLAGS.batch_size}"]
    if master:
        command += ["--engine=spark", f"--master={master}"]
        command += [f"--spark_conf={k}={v}" for k, v in dict(conf).items()]
    start = time.perf_counter()
    process = subprocess.Popen(command, env=environment())
    if victim is not None:
        wait_for_task(process, output)
        kill(victim)
    process.wait()
    if not output.exists():
        sys.exit(f"{output.name} did not come about, see above")
    return time.perf_counter() - start


def compare(expected, found):
    """What two files of records have in common, in a line."""
    pairs = [
        [json.loads(line) for line in path.read_text().splitlines()]
        for path in (expected, found)
    ]
    if [r["image"] for r in pairs[0]] != [r["image"] for r in pairs[1]]:
        return "NOT the same images in the same order"
    same = sum(one == other for one, other in zip(*pairs, strict=True))
    others = [(a, b) for a, b in zip(*pairs, strict=True) if a != b]
    words = sum(_words(one) == _words(other) for one, other in others)
    return (
        f"{same} of {len(pairs[0])} records are the same to the last digit, "
        f"{words} more but for digits of their scores"
    )


def _words(record):
    words = {key: value for key, value in record.items() if "score" not in key}
    words["captions"] = [each["caption"] for each in record.get("captions", [])]
    return words


if __name__ == "__main__":
    app.run(main)
