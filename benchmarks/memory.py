"""How much memory does a loaded model take?

    python benchmarks/memory.py --model=WORKDIR/export

loads the model in processes of its own: the SavedModel as TensorFlow does, as a Keras
model, and both heads for `annotate`; the preset `photos` besides. It prints what is
resident after the loading more than after TensorFlow's import, and at most on the way,
beside what the files of an export take.
"""

import json
import pathlib
import subprocess
import sys

from absl import app, flags

flags.DEFINE_string("model", None, "A workdir, or its exports.")
flags.DEFINE_string("way", None, "Used by the script itself.")
flags.DEFINE_string("folder", None, "Used by the script itself.")

FLAGS = flags.FLAGS

_MEGABYTE = 1e6


def main(argv):
    if len(argv) > 1:
        raise app.UsageError(f"Unexpected arguments: {argv[1:]}")
    if FLAGS.way:
        print(json.dumps(measure(_WAYS[FLAGS.way], FLAGS.folder)))
        return
    print(f"{'MB':44}{'files':>8}{'loaded':>8}{'at most':>9}")
    report("photos, for annotate", "annotate", "photos", 0)
    if not FLAGS.model:
        return
    from annotator.export.versions import find_exports

    for task, (folder, manifest) in find_exports([FLAGS.model]).items():
        if "preset" in manifest:
            continue
        size = sum(path.stat().st_size for path in folder.rglob("*") if path.is_file())
        report(f"{task}, by tf.saved_model.load", "saved_model", folder, size)
        report(f"{task}, as a Keras model", "keras", folder, size)
    report("all, for annotate", "annotate", FLAGS.model, 0)


def report(name, way, folder, size):
    """A line of the table, from a process of its own."""
    command = [sys.executable, __file__, f"--way={way}", f"--folder={folder}"]
    done = subprocess.run(command, check=True, stdout=subprocess.PIPE)
    loaded, most = json.loads(done.stdout.splitlines()[-1])
    files = f"{size / _MEGABYTE:.1f}" if size else ""
    print(f"{name:44}{files:>8}{loaded:8.0f}{most:9.0f}", flush=True)


def measure(load, folder):
    """Megabytes that loading takes, in the end and at most."""
    import tensorflow as tf

    import annotator.annotation.model  # noqa: F401  (what loading imports)

    tf.constant(0.0)  # the runtime
    before = status("VmRSS")
    kept = load(folder)
    found = status("VmRSS") - before, status("VmHWM") - before
    del kept
    return found


def status(name):
    """Megabytes of this process, as Linux counts them."""
    text = pathlib.Path("/proc/self/status").read_text()
    (line,) = [line for line in text.splitlines() if line.startswith(f"{name}:")]
    return int(line.split()[1]) * 1024 / _MEGABYTE


def _saved_model(folder):
    import tensorflow as tf

    return tf.saved_model.load(folder)


def _keras(folder):
    from annotator.export.keras_model import keras_model

    return keras_model(folder)


def _annotate(folder):
    import annotator

    return annotator.load(folder)


_WAYS = {"saved_model": _saved_model, "keras": _keras, "annotate": _annotate}

if __name__ == "__main__":
    app.run(main)
