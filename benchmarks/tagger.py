"""What does the tagger cost: to fit, per image, and as the training set grows?

    python benchmarks/tagger.py --plot=cost.png

prints three tables: `fit`, time and memory of fitting on feature maps on disk; `vlad`,
the VLAD layer against a plain NumPy loop; `cost`, the time to tag one image against the
number of training images, for word means, JEC and 2PKNN. All on drawn numbers; the
arithmetic is the same for any. Needs the extra `bench` for the plot.
"""

import multiprocessing
import os
import pathlib
import statistics
import tempfile
import threading
import time

import numpy as np
from absl import app, flags

PARTS = ("fit", "vlad", "cost")
TAGGERS = {"means": "word means", "jec": "JEC", "2pknn": "2PKNN"}

flags.DEFINE_multi_enum("part", PARTS, PARTS, "What to measure; may be repeated.")
flags.DEFINE_integer("images", 4000, "fit: training images.")
flags.DEFINE_string("cache", None, "fit: a finished feature cache, not drawn maps.")
flags.DEFINE_integer("channels", 1024, "fit: channels of the drawn maps.")
flags.DEFINE_integer("words", 260, "fit, cost: words.")
flags.DEFINE_integer("dimensions", 1024, "cost: length of an image's vector.")
flags.DEFINE_integer("largest", 32000, "cost: most training images.")
flags.DEFINE_integer("rounds", 7, "vlad, cost: measurements, of which the median.")
flags.DEFINE_string("plot", None, "cost: PNG file to draw.")

FLAGS = flags.FLAGS


def main(argv):
    if len(argv) > 1:
        raise app.UsageError(f"Unexpected arguments: {argv[1:]}")
    os.environ.setdefault("TF_CPP_MIN_LOG_LEVEL", "2")
    for part in FLAGS.part:
        {"fit": measure_fit, "vlad": measure_vlad, "cost": measure_cost}[part]()


# Fitting.


def measure_fit():
    """Runs `fit` in a process of its own, so that its memory is counted alone."""
    with tempfile.TemporaryDirectory() as folder:
        cache = FLAGS.cache or draw_cache(pathlib.Path(folder) / "cache")
        spawn = multiprocessing.get_context("spawn")
        with spawn.Pool(1) as pool:
            row = pool.apply(fit, (cache, folder, FLAGS.words))
    print(f"\nfitting on {row['images']} images of {row['shape']} float16 on disk")
    print(f"  seconds                        {row['seconds']:8.1f}")
    print(f"  seconds of processors          {row['processor']:8.1f}")
    print(f"  memory, MB                     {row['memory']:8.0f}")
    print(f"  of which before the fit        {row['before']:8.0f}")
    print(f"  with mapped pages of files, MB {row['resident']:8.0f}", flush=True)


def draw_cache(directory):
    """A finished feature cache of drawn maps, as sparse as behind a ReLU."""
    from annotator.features import SHARD_ROWS, write_cache

    rng = np.random.default_rng(0)
    centers = rng.standard_normal((64, FLAGS.channels), np.float32)

    def draw(start):
        rows = min(SHARD_ROWS, FLAGS.images - start)
        maps = rng.standard_normal((rows, 14, 14, FLAGS.channels), np.float32)
        maps += centers[rng.integers(0, 64, (rows, 14, 14))]
        return np.maximum(maps, 0, out=maps).astype(np.float16)

    write_cache(directory, map(draw, range(0, FLAGS.images, SHARD_ROWS)))
    return directory


def fit(cache, folder, words):
    """Trains a tagger on a cache, from its check to the saved model."""
    from annotator import datasets
    from annotator.config import Config
    from annotator.datasets.image_files import ImageFiles
    from annotator.features import FeatureCache
    from annotator.runs.run import Run
    from annotator.runs.splits import Split
    from annotator.training.tagger.fit import train_tagger

    memory = PeakMemory()
    before = memory.now()[0]
    start, processor = time.perf_counter(), time.process_time()
    cache = FeatureCache.open(cache)
    names = tuple(map(str, range(len(cache))))
    tags = draw_tags(len(cache), words)
    annotated = datasets.AnnotatedImages(
        "drawn", "train", names, ImageFiles(names), tuple(map(str, range(words))), tags
    )
    run = Run(Config(task="tagger"), folder)
    run.split = lambda task, name: Split(annotated, np.arange(len(cache)), (cache,))
    train_tagger(run)
    seconds = time.perf_counter() - start
    processor = time.process_time() - processor
    peak, resident = memory.stop()
    shape = " x ".join(map(str, cache.shape))
    return {
        **{"images": len(cache), "shape": shape},
        **{"seconds": seconds, "processor": processor},
        **{"before": before, "memory": peak, "resident": resident},
    }


class PeakMemory:
    """Largest memory of this process in MB, looked at every 10 ms (Linux).

    Its own memory is counted apart from pages of mapped files, which the kernel keeps
    as long as nobody else needs the memory.
    """

    def __init__(self):
        self._peak = (0.0, 0.0)
        self._stopped = threading.Event()
        self._thread = threading.Thread(target=self._watch, daemon=True)
        self._thread.start()

    @staticmethod
    def now():
        """`(own memory, with mapped files)`."""
        status = pathlib.Path("/proc/self/status").read_text(encoding="utf-8")
        lines = dict(line.split(":", 1) for line in status.splitlines())
        size = {
            name: int(lines[name].split()[0]) / 1000 for name in ("RssAnon", "VmRSS")
        }
        return size["RssAnon"], size["VmRSS"]

    def stop(self):
        self._stopped.set()
        self._thread.join()
        return self._peak

    def _watch(self):
        while not self._stopped.wait(0.01):
            self._peak = tuple(map(max, self._peak, self.now()))


def draw_tags(images, words, seed=0):
    """bool `[images, words]`, 3.5 words an image, some words far more frequent."""
    rng = np.random.default_rng(seed)
    frequency = 1.0 / np.arange(5, words + 5)
    frequency *= 3.5 / frequency.sum()
    tags = rng.random((images, words)) < frequency
    tags[np.arange(images), rng.integers(0, words, images)] = True
    return tags


# VLAD.


def measure_vlad():
    """The layer in a `tf.function` and the loop, taking turns."""
    import tensorflow as tf

    from annotator.tagger.pooling.vlad import VLAD

    print("\nVLAD of 196 regions, milliseconds an image")
    print(f"{'dimensions':>10}{'words':>7}{'NumPy loop':>12}{'layer':>9}{'ratio':>7}")
    rng = np.random.default_rng(0)
    for dimensions, size in ((256, 16), (64, 64)):
        descriptors = rng.standard_normal((64, 196, dimensions), np.float32)
        codebook = rng.standard_normal((size, dimensions), np.float32)
        vlad = VLAD(size, ())
        vlad.build((None, None, dimensions))
        vlad.codebook.assign(codebook)
        layer, tensor = tf.function(vlad), tf.constant(descriptors)
        np.testing.assert_allclose(
            layer(tensor), numpy_vlad(descriptors, codebook), atol=1e-2
        )
        loop, graph = medians(
            lambda d=descriptors, c=codebook: numpy_vlad(d, c),
            lambda f=layer, d=tensor: f(d).numpy(),
        )
        each = [1000 * seconds / len(descriptors) for seconds in (loop, graph)]
        print(
            f"{dimensions:10}{size:7}{each[0]:12.3f}{each[1]:9.3f}{loop / graph:7.1f}",
            flush=True,
        )


def numpy_vlad(descriptors, codebook):
    """The definition, image by image."""
    vectors = []
    for image in descriptors:
        distances = np.linalg.norm(image[:, None] - codebook, axis=-1)
        nearest = distances.argmin(axis=1)
        sums = [
            (image[nearest == word] - center).sum(axis=0)
            for word, center in enumerate(codebook)
        ]
        vectors.append(np.concatenate(sums))
    return np.array(vectors)


def medians(*calls):
    """Median seconds of each call; they take turns, after one call to warm up."""
    for call in calls:
        call()
    seconds = [[] for _ in calls]
    for _ in range(FLAGS.rounds):
        for call, each in zip(calls, seconds, strict=True):
            start = time.perf_counter()
            call()
            each.append(time.perf_counter() - start)
    return [statistics.median(each) for each in seconds]


# Cost against the number of training images.


def measure_cost():
    """Times the scores of all words for a batch of image vectors."""
    import tensorflow as tf

    from annotator.config import Config
    from annotator.training.tagger.scores import fit_scores

    batch = 32
    rng = np.random.default_rng(0)
    vectors = rng.standard_normal((FLAGS.largest, FLAGS.dimensions), np.float32)
    vectors /= np.linalg.norm(vectors, axis=1, keepdims=True)
    tags = draw_tags(FLAGS.largest, FLAGS.words)
    queries = tf.constant(vectors[rng.integers(0, FLAGS.largest, batch)] * 0.9)
    print(
        f"\ntagging, milliseconds an image: {FLAGS.dimensions} dimensions, "
        f"{FLAGS.words} words, batches of {batch}"
    )
    print(f"{'N':>10}" + "".join(f"{name:>12}" for name in TAGGERS.values()))
    sizes = [n for n in 500 * 2 ** np.arange(20) if n <= FLAGS.largest]
    costs = {name: [] for name in TAGGERS.values()}
    for size in sizes:
        for tagger, name in TAGGERS.items():
            # Choosing settings costs time once, and not at tagging.
            fixed = {"shrinkage": 1e-3, "margin": 0.7, "lift": 0.2}
            config = Config(task="tagger", tagger=tagger, **fixed)
            scores = tf.function(fit_scores(config, vectors[:size], tags[:size])[0])
            (seconds,) = medians(lambda f=scores: f(queries).numpy())
            costs[name].append(1000 * seconds / batch)
        row = "".join(f"{each[-1]:12.4f}" for each in costs.values())
        print(f"{size:10}{row}", flush=True)
    if FLAGS.plot:
        draw_costs(sizes, costs)


def draw_costs(sizes, costs):
    """The table as a picture with logarithmic axes."""
    import matplotlib

    matplotlib.use("Agg")
    from matplotlib import pyplot, ticker

    from annotator import files

    figure, axes = pyplot.subplots(figsize=(7, 4.5), layout="constrained")
    for (name, each), color, marker in zip(
        costs.items(), ("#0072b2", "#d55e00", "#009e73"), "osD", strict=True
    ):
        axes.plot(sizes, each, color=color, marker=marker, markersize=5, linewidth=2)
        axes.annotate(
            name,
            (sizes[-1], each[-1]),
            (9, 0),
            textcoords="offset points",
            color=color,
            verticalalignment="center",
            fontsize=11,
        )
    axes.set(
        xscale="log",
        yscale="log",
        xlabel="training images N",
        ylabel="milliseconds to tag one image",
        title=f"Time to score {FLAGS.words} words from a vector of "
        f"{FLAGS.dimensions} numbers",
        xlim=(sizes[0] / 1.3, sizes[-1] * 1.3),
    )
    axes.set_xticks(sizes, [f"{size:,}" for size in sizes])
    axes.xaxis.set_minor_locator(ticker.NullLocator())
    axes.yaxis.set_major_formatter(ticker.FuncFormatter(lambda y, _: f"{y:g}"))
    axes.grid(alpha=0.3)
    axes.spines[["top", "right"]].set_visible(False)
    with files.atomic_path(FLAGS.plot) as temporary:
        figure.savefig(temporary, dpi=150)
    print(f"\nplot: {FLAGS.plot}")


if __name__ == "__main__":
    app.run(main)
