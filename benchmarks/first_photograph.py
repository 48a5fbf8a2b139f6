"""Where does the time of `annotator annotate photo.jpg` go?

    python benchmarks/first_photograph.py

runs that command in processes of its own, on a photograph that it draws, and prints
what each part of it takes, in seconds of the clock and of the processor: the median of
several runs, after one that brings the files into memory.
"""

import contextlib
import importlib
import json
import pathlib
import statistics
import subprocess
import sys
import tempfile
import time

from absl import app, flags
from common import cpu, draw_photographs

flags.DEFINE_integer("rounds", 3, "Runs that are measured.", lower_bound=1)
flags.DEFINE_string("model", "photos", "What describes it, as annotate.py.")
flags.DEFINE_string("photograph", None, "Another photograph than the drawn one.")
flags.DEFINE_bool("in_child", False, "Used by the script itself.")

FLAGS = flags.FLAGS

# Part -> where the function stands that does it; what one calls of another is not
# counted twice.
_FUNCTIONS = {
    "checksums": ("annotator.annotation.describing.annotator", "find_exports"),
    "the network": ("annotator.annotation.preset_models", "build_backbone"),
    "the heads": ("annotator.export.preset", "build_head"),
    "the heads' weights, from 8 bits": ("annotator.export.preset", "read_head"),
    "model of images": ("annotator.annotation.preset_models", "image_model"),
    "one network for both heads": ("annotator.annotation.model", "join_regions"),
}


def main(argv):
    if len(argv) > 1:
        raise app.UsageError(f"Unexpected arguments: {argv[1:]}")
    if FLAGS.in_child:
        print(json.dumps(measure(FLAGS.model, FLAGS.photograph)))
        return
    with tempfile.TemporaryDirectory() as folder:
        path = FLAGS.photograph or draw_photographs(pathlib.Path(folder) / "p", 1)[0]
        command = [sys.executable, __file__, "--in_child", f"--model={FLAGS.model}"]
        rounds = []
        for _ in range(FLAGS.rounds + 1):
            start = time.perf_counter()
            done = subprocess.run(
                [*command, f"--photograph={path}"], check=True, stdout=subprocess.PIPE
            )
            parts = json.loads(done.stdout.splitlines()[-1])
            seconds = time.perf_counter() - start
            outside = seconds - parts["all"][0]
            parts["all"][0] = seconds
            rounds.append({"Python, up and down": [outside, 0.0], **parts})
    print(cpu())
    print(f"{'':36}{'seconds':>9}{'of a core':>11}")
    for name in rounds[-1]:
        clock, core = (
            statistics.median(r[name][i] for r in rounds[1:]) for i in (0, 1)
        )
        print(f"{name:36}{clock:9.2f}{core:11.2f}")


def measure(model, photograph):
    """From a part to its seconds, of the clock and of the processor."""
    parts = Parts()
    with parts.part("all"):
        with parts.part("TensorFlow"):
            from annotator.terminal.startup import announce, start_tensorflow

            start_tensorflow()
            announce()
        with parts.part("Keras and the rest of the imports"):
            annotators = importlib.import_module(
                "annotator.annotation.describing.annotator"
            )
        for name, (module, function) in _FUNCTIONS.items():
            parts.watch(name, importlib.import_module(module), function)
        with parts.part("rest of loading"):
            describe = annotators.load(model)
        watch_heads(parts, describe)
        with parts.part("decoding, and the rest"):
            print(describe(photograph), file=sys.stderr)
    return parts.seconds


def watch_heads(parts, describe):
    """Looks at the graphs of a model, which are traced when they are first called."""
    model = describe._model
    parts.watch("the network's graph and its pass", model, "_regions")
    for task in model.tasks:
        parts.watch(f"the {task}'s graph and its pass", model._heads, task)


class Parts:
    """Seconds of parts that may stand in one another: none is counted twice."""

    def __init__(self):
        self.seconds = {}
        self._inner = [[0.0, 0.0]]

    @contextlib.contextmanager
    def part(self, name):
        """Counts what is done inside; `all` counts its parts as well."""
        start = time.perf_counter(), time.process_time()
        self._inner.append([0.0, 0.0])
        yield
        spent = [time.perf_counter() - start[0], time.process_time() - start[1]]
        inner = self._inner.pop()
        own = self.seconds.setdefault(name, [0.0, 0.0])
        for i in range(2):
            self._inner[-1][i] += spent[i]
            own[i] += spent[i] - (0.0 if name == "all" else inner[i])

    def watch(self, name, owner, key):
        """Counts the calls of a function, which `owner` has as a value or attribute."""
        is_dict = isinstance(owner, dict)
        function = owner[key] if is_dict else getattr(owner, key)

        def watched(*args, **kwargs):
            with self.part(name):
                outputs = function(*args, **kwargs)
                return ready(outputs)

        if is_dict:
            owner[key] = watched
        else:
            setattr(owner, key, watched)


def ready(outputs):
    """Waits until tensors are computed."""
    for value in outputs.values() if isinstance(outputs, dict) else ():
        if hasattr(value, "numpy"):
            value.numpy()
    return outputs


if __name__ == "__main__":
    app.run(main)
