"""What oneDNN does for the commands, against TensorFlow's own kernels.

    python benchmarks/onednn.py
    python benchmarks/onednn.py --processes=5 --networks=vgg16

prints the milliseconds of a core that a network takes for an image, and a step of the
captioner's training (16 images with 5 captions, two layers), with oneDNN and without,
and their ratios. `annotator.terminal.startup` turns oneDNN on for all commands;
TensorFlow itself does so on processors with AVX-512 alone, so that on these the first
number is its default as well. Weights are random, one thread computes, each side runs
in processes of its own, they take turns, and the median counts.
"""

import os
import pathlib
import statistics
import subprocess
import sys
import time
import types

from absl import app, flags

flags.DEFINE_list(
    "networks", ["vgg16", "resnet50"], "Networks of `keras.applications`."
)
flags.DEFINE_integer("processes", 3, "Processes of each side.", lower_bound=1)
flags.DEFINE_bool("step", True, "Whether a step of training is measured.")
flags.DEFINE_string("measure", "", "For the processes of each side: what they measure.")

FLAGS = flags.FLAGS
VARIABLE = "TF_ENABLE_ONEDNN_OPTS"
STEP = "training, a step"
_IMAGES, _REPEATS = 8, 3


def main(argv):
    if len(argv) > 1:
        raise app.UsageError(f"Unexpected arguments: {argv[1:]}")
    if FLAGS.measure:
        print(measured(FLAGS.measure))
        return
    print(f"{'ms of a core':20}{'oneDNN':>10}{'without':>10}{'ratio':>8}")
    for what in [*FLAGS.networks, *([STEP] if FLAGS.step else [])]:
        taken = {"1": [], "0": []}
        for _ in range(FLAGS.processes):
            for side, each in taken.items():
                each.append(child(what, side))
        ours, theirs = (statistics.median(each) for each in taken.values())
        print(f"{what:20}{ours:10.1f}{theirs:10.1f}{theirs / ours:8.2f}", flush=True)


def child(what, side):
    """Milliseconds, of a process that computes with oneDNN or without."""
    command = [sys.executable, __file__, f"--measure={what}"]
    environment = {**os.environ, VARIABLE: side, "TF_CPP_MIN_LOG_LEVEL": "3"}
    done = subprocess.run(command, env=environment, capture_output=True, check=True)
    return float(done.stdout.split()[-1])


def measured(what):
    """Milliseconds of a core, once all is traced and compiled."""
    import tensorflow as tf

    tf.config.threading.set_intra_op_parallelism_threads(1)
    tf.config.threading.set_inter_op_parallelism_threads(1)
    run, amount = step() if what == STEP else network(what)
    run()
    start = time.process_time()
    for _ in range(_REPEATS):
        run()
    return (time.process_time() - start) / _REPEATS / amount * 1e3


def network(name):
    """A pass of a network, and its images."""
    import tensorflow as tf

    from annotator.backbones.backbone import build_backbone

    backbone = build_backbone(name, None, "random", "float32", 0)
    pixels = tf.random.stateless_uniform((_IMAGES, 224, 224, 3), (0, 1), 0.0, 255.0)
    compute = tf.function(lambda x: backbone(x, training=False), autograph=False)
    return lambda: compute(pixels), _IMAGES


def step():
    """Steps of the training, and their number."""
    sys.path.insert(0, str(pathlib.Path(__file__).parent))
    import captioner

    names = ("deviation", "decode_xla")
    settings = {name: FLAGS[name].default for name in (*captioner.SIZES, *names)}
    settings |= {"layers": 2, "attention_units": 256, "feedback": "none", "batch": 16}
    settings |= {"precision": "float32", "threads": 1, "vocabulary": 2600}
    settings = types.SimpleNamespace(**settings)
    worker = captioner.Annotator(settings, *captioner.draw(settings))
    worker.train()  # all lengths of captions are compiled in two
    return worker.train, settings.images / settings.batch


if __name__ == "__main__":
    app.run(main)
