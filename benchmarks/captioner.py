"""How fast does the captioner train and decode, against a plain step-by-step decoder?

    python benchmarks/captioner.py
    python benchmarks/captioner.py --layers=4 --attention_units=256 --feedback=none

trains as `train.py` does, from a feature cache through `CaptionerTrainer`'s step, in
the precision that `auto` chooses here, compile time left out. With feedback from drafts
a pass includes decoding the drafts, once an image. The baseline is a PyTorch decoder
with one attention (see `torch_captioner.py`), eager, by default in float32. Both have
2 threads, the same drawn features, the same captions and AdamW with clipped gradients.

To decode, the bias of `<end>` is set to -1e9 on both sides and the search stops after
`--words` words, so both search all steps; it is checked that every caption has them.
The baseline decodes an image at a time, the captioner batches, without XLA as it is
scored and exported; `--decode_xla` decodes as the validation while training.

Each side runs in a process of its own; they take turns. The ratio is that of medians.
The memory is the largest resident size of the captioner's process after training (all
of it: the libraries, and pages of mapped files). Needs the extra `bench`; Linux only.
"""

import importlib.util
import itertools
import multiprocessing
import os
import pathlib
import resource
import statistics
import tempfile
import time
import types

import numpy as np
from absl import app, flags

FEEDBACK = ("none", "draft", "causal")

flags.DEFINE_multi_integer("layers", [2, 4], "Layers k; may be repeated.")
flags.DEFINE_multi_integer("attention_units", [512], "Width; may be repeated.")
flags.DEFINE_multi_enum("feedback", ["none", "draft"], FEEDBACK, "May be repeated.")
flags.DEFINE_integer("rounds", 5, "Measurements of each side.", lower_bound=1)
flags.DEFINE_enum("precision", "auto", ("auto", "float32", "bfloat16"), "Ours.")
flags.DEFINE_bool("decode_xla", False, "Decode with XLA, as drafts in training.")
flags.DEFINE_enum("torch_precision", "float32", ("float32", "bfloat16"), "Theirs.")
flags.DEFINE_enum(
    "torch_keys", "each_step", ("each_step", "once"), "When it projects the regions."
)

# What both sides are told; the defaults are Flickr8k with VGG16.
SIZES = {
    "images": (64, "Images of a pass."),
    "captions": (5, "Captions of an image."),
    "words": (12, "Words of a caption (the mean), and of every decoded one."),
    "side": (14, "Side of a feature map."),
    "channels": (512, "Its channels."),
    "vocabulary": (8000, "Words known."),
    "units": (512, "Width of states and word vectors."),
    "torch_attention": (512, "Width of the baseline's attention."),
    "beams": (5, "Beams."),
    "batch": (32, "Images of our training step, each with all its captions."),
    "torch_batch": (32, "Captions of the baseline's step: faster than 160."),
    "decode_batch": (64, "Images that we decode at once."),
    "threads": (2, "Threads of each side."),
}
for _name, (_default, _help) in SIZES.items():
    flags.DEFINE_integer(_name, _default, _help, lower_bound=1)
flags.DEFINE_float("deviation", 0.0, "Standard deviation of the captions' words.")

FLAGS = flags.FLAGS
START, END = 1, 2


def main(argv):
    if len(argv) > 1:
        raise app.UsageError(f"Unexpected arguments: {argv[1:]}")
    if importlib.util.find_spec("torch") is None:
        raise app.UsageError('There is no torch. Run pip install ".[bench]".')
    os.environ.setdefault("TF_CPP_MIN_LOG_LEVEL", "2")
    os.environ["CUDA_VISIBLE_DEVICES"] = ""  # a comparison of processors
    names = ("deviation", "precision", "decode_xla", "torch_precision", "torch_keys")
    settings = {name: FLAGS[name].value for name in (*SIZES, *names)}
    baseline = Worker("torch", settings)
    print(
        f"{FLAGS.captions} captions an image, {FLAGS.words} words, {FLAGS.side**2} "
        f"regions of {FLAGS.channels}, {FLAGS.vocabulary} words known, width "
        f"{FLAGS.units}, {FLAGS.beams} beams, {FLAGS.threads} threads; medians of "
        f"{FLAGS.rounds} rounds\n\n"
        f"{'':25}{'training, captions/s':>26}{'decoding, images/s':>26}{'memory':>9}\n"
        f"{'layers attention feedback':25}"
        + f"{'ours':>9}{'torch':>9}{'ratio':>8}" * 2
        + f"{'MB':>9}",
        flush=True,
    )
    for layers, attention, feedback in itertools.product(
        FLAGS.layers, FLAGS.attention_units, FLAGS.feedback
    ):
        kind = {"layers": layers, "attention_units": attention, "feedback": feedback}
        ours = Worker("annotator", {**settings, **kind})
        measure(f"{layers:6}{attention:10} {feedback:8}", ours, baseline)
        ours.close()
    baseline.close()


def measure(row, ours, baseline):
    """Prints a row of the table, and below it each round."""
    work = {"train": FLAGS.images * FLAGS.captions, "decode": FLAGS.images}
    details, memory = [], 0
    for task, amount in work.items():
        rates = {ours: [], baseline: []}
        # Shapes seen at first only once are compiled the second time.
        for warm_up in (ours, ours, baseline):
            warm_up(task)
        for _ in range(FLAGS.rounds):
            for side, each in rates.items():
                each.append(amount / side(task))
        medians = [statistics.median(each) for each in rates.values()]
        row += "".join(f"{rate:9.1f}" for rate in medians)
        row += f"{medians[0] / medians[1]:8.2f}"
        for name, each in zip(("ours", "torch"), rates.values(), strict=True):
            rounds = " ".join(f"{rate:.1f}" for rate in each)
            details.append(f"{'':7}{task}, {name}: {rounds}")
        memory = memory or ours("memory")
    print(f"{row}{memory:9.0f}", *details, sep="\n", flush=True)


class Worker:
    """One side in a process of its own, which works only when it is asked to."""

    def __init__(self, side, settings):
        context = multiprocessing.get_context("spawn")
        self._connection, other = context.Pipe()
        self._process = context.Process(
            target=serve, args=(other, side, settings), daemon=True
        )
        self._process.start()
        other.close()

    def __call__(self, task):
        """The seconds that a task took, or the memory in MB."""
        self._connection.send(task)
        return self._connection.recv()

    def close(self):
        self._connection.send(None)
        self._process.join()


def serve(connection, side, settings):
    """The worker's process."""
    settings = types.SimpleNamespace(**settings)
    features, tokens = draw(settings)
    if side == "torch":
        from torch_captioner import TorchCaptioner

        worker = TorchCaptioner(settings, features, tokens)
    else:
        worker = Annotator(settings, features, tokens)
    while task := connection.recv():
        connection.send(getattr(worker, task)())


def draw(settings):
    """Maps float16 `[N, h, w, D]`, as behind a ReLU, and tokens int32 `[N, C, T]`."""
    rng = np.random.default_rng(0)
    side, channels = settings.side, settings.channels
    maps = rng.standard_normal((settings.images, side, side, channels), np.float32)
    features = np.maximum(maps, 0, out=maps).astype(np.float16)
    lengths = rng.normal(
        settings.words, settings.deviation, (settings.images, settings.captions)
    )
    lengths = np.maximum(1, np.rint(lengths)).astype(int)[..., None]
    shape = (settings.images, settings.captions, lengths.max() + 2)
    tokens = rng.integers(END + 2, settings.vocabulary, shape).astype(np.int32)
    columns = np.arange(shape[-1])
    tokens[columns > lengths + 1] = 0
    tokens[columns == lengths + 1] = END
    tokens[..., 0] = START
    return features, tokens


class Annotator:
    """The captioner and its trainer, as `train.py` puts them together."""

    def __init__(self, settings, features, tokens):
        import tensorflow as tf

        tf.config.threading.set_intra_op_parallelism_threads(settings.threads)
        tf.config.threading.set_inter_op_parallelism_threads(settings.threads)
        from annotator.backbones import resolve_precision
        from annotator.captioner import Vocabulary
        from annotator.config import Config
        from annotator.runs.run import Run
        from annotator.training.captioner.fit import build_captioner
        from annotator.training.captioner.inputs import CachedRegions
        from annotator.training.captioner.trainer import CaptionerTrainer

        self.settings = settings
        config = Config(
            task="captioner",
            precision=resolve_precision(settings.precision),
            layers=settings.layers,
            units=settings.units,
            attention_units=settings.attention_units,
            rounds=int(settings.feedback != "none"),
            feedback=settings.feedback.replace("none", "draft"),
            feedback_start=0,
            max_length=tokens.shape[-1] - 2,
            dropout=0.5,  # as there
            caption_batch=settings.batch,
            beams=settings.beams,
        )
        self.folder = tempfile.TemporaryDirectory()
        folder = pathlib.Path(self.folder.name)
        run = Run(config, folder)
        vocabulary = Vocabulary([f"w{i}" for i in range(4, settings.vocabulary)])
        self.captioner = build_captioner(run, vocabulary)
        self.split = drawn_split(folder, features, vocabulary.decode(tokens))
        inputs = CachedRegions(self.split, self.split)
        self.trainer = CaptionerTrainer(run, self.captioner, inputs)
        np.testing.assert_array_equal(self.trainer.batches.tokens, tokens)
        self.search, self.seed = None, tf.zeros([2], tf.int32)

    def train(self):
        """Seconds of one pass over all captions, drafts included."""
        start, drafts = time.perf_counter(), None
        if self.captioner.feedback.reads_drafts:
            batches = self.split.regions(128)
            drafts = [self.trainer.draft(regions).numpy() for regions in batches]
            drafts = np.concatenate(drafts)
        stream = self.trainer.batches.stream(0, 0, drafts, self.trainer.strategy)
        for regions, tokens, draft in stream:
            sums = self.trainer.train_step(regions, tokens, draft, self.seed, True)
            float(sums["cross_entropy"])  # waits for it
        return time.perf_counter() - start

    def memory(self):
        return resource.getrusage(resource.RUSAGE_SELF).ru_maxrss * 1024 / 1e6

    def decode(self):
        """Seconds to caption all images; every caption has the words asked for."""
        self.search = self.search or self._build_search()
        found, words = [], self.settings.words
        start = time.perf_counter()
        for regions in self.split.regions(self.settings.decode_batch):
            found.append(self.search(regions).numpy())
        seconds = time.perf_counter() - start
        tokens = np.concatenate(found)
        if (tokens[:, 1 : words + 1] <= END).any() or (
            tokens[:, words + 1] != END
        ).any():
            raise RuntimeError(f"Captions that do not have {words} words.")
        return seconds

    def _build_search(self):
        import tensorflow as tf

        from annotator.captioner import BeamSearch, GreedySampler

        words, captioner = self.settings.words, self.captioner
        bias = captioner.decoder.output_projection.bias
        bias.assign(np.where(np.arange(self.settings.vocabulary) == END, -1e9, bias))
        captioner.set_jit_compile(self.settings.decode_xla)
        captioner.draft_sampler = GreedySampler(words)
        sampler = BeamSearch(self.settings.beams, max_length=words)
        return tf.function(
            lambda regions: captioner.generate(regions, sampler)["tokens"],
            reduce_retracing=True,
        )


def drawn_split(folder, maps, captions):
    """A `Split` with a feature cache on disk."""
    from annotator import datasets
    from annotator.datasets.image_files import ImageFiles
    from annotator.features import SHARD_ROWS, write_cache
    from annotator.runs.splits import Split

    starts = range(0, len(maps), SHARD_ROWS)
    blocks = (maps[start : start + SHARD_ROWS] for start in starts)
    cache = write_cache(folder / "cache", blocks)
    names = tuple(map(str, range(len(maps))))
    annotated = datasets.AnnotatedImages(
        "drawn", "train", names, ImageFiles(names), captions=tuple(map(tuple, captions))
    )
    return Split(annotated, np.arange(len(maps)), (cache,))


if __name__ == "__main__":
    app.run(main)
