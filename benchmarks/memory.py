"""How much memory does a loaded model take?

    python benchmarks/memory.py --model=WORKDIR/export

loads the model in processes of its own: the SavedModel as TensorFlow does and in a
session of the C++ runtime, as servers do; as a Keras model; and both heads for
`annotate`; the preset `photos` besides. "As version 0.1" is a SavedModel that Keras's
`ExportArchive` writes of the same model, with each weight twice, as that version did.
It prints what is resident after the loading more than after TensorFlow's import, and at
most on the way, beside the size of the SavedModel.
"""

import json
import pathlib
import subprocess
import sys
import tempfile

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
    print(f"{'MB':48}{'files':>8}{'loaded':>8}{'at most':>9}")
    report("photos, for annotate", "annotate", "photos", 0)
    if not FLAGS.model:
        return
    from annotator.export.versions import find_exports

    for task, (folder, manifest) in find_exports([FLAGS.model]).items():
        if "preset" in manifest:
            continue
        size = size_of(folder)
        with tempfile.TemporaryDirectory() as before:
            write_as_before(folder, before)
            twice = size_of(pathlib.Path(before))
            for way, said in _SAVED_MODEL_WAYS.items():
                report(f"{task} as version 0.1, {said}", way, before, twice)
                report(f"{task}, {said}", way, folder, size)
        report(f"{task}, as a Keras model", "keras", folder, size)
    report("all, for annotate", "annotate", FLAGS.model, 0)


def write_as_before(folder, before):
    """Writes the model of an export as version 0.1 did."""
    import keras
    import tensorflow as tf

    import annotator.layers  # noqa: F401  (what exports are made of)
    from annotator.export.keras_model import keras_model

    model = keras_model(folder)
    archive = keras.export.ExportArchive()
    archive.track(model)
    archive.add_endpoint(
        "serving_default", model, [tf.TensorSpec((None, None, None, 3))]
    )
    archive.write_out(before, verbose=False)


def size_of(folder):
    """Bytes of what a SavedModel is: its graph and its weights."""
    parts = [folder / "saved_model.pb", *(folder / "variables").iterdir()]
    return sum(path.stat().st_size for path in parts)


def report(name, way, folder, size):
    """A line of the table, from a process of its own."""
    command = [sys.executable, __file__, f"--way={way}", f"--folder={folder}"]
    done = subprocess.run(command, check=True, stdout=subprocess.PIPE)
    loaded, most = json.loads(done.stdout.splitlines()[-1])
    files = f"{size / _MEGABYTE:.1f}" if size else ""
    print(f"{name:48}{files:>8}{loaded:8.0f}{most:9.0f}", flush=True)


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


def _session(folder):
    import tensorflow as tf

    graph = tf.Graph()
    session = tf.compat.v1.Session(graph=graph)
    with graph.as_default():
        tf.compat.v1.saved_model.load(session, ["serve"], folder)
    return session


def _keras(folder):
    from annotator.export.keras_model import keras_model

    return keras_model(folder)


def _annotate(folder):
    import annotator

    return annotator.load(folder)


_WAYS = {
    "saved_model": _saved_model,
    "session": _session,
    "keras": _keras,
    "annotate": _annotate,
}
_SAVED_MODEL_WAYS = {
    "saved_model": "by tf.saved_model.load",
    "session": "in a session",
}

if __name__ == "__main__":
    app.run(main)
