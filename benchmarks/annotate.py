"""How fast are images annotated, and what takes the time?

    python benchmarks/annotate.py --model=WORKDIR/export --images=FOLDER

runs `annotator.annotation` as `annotate.py` does and prints images/s from image files
to a JSONL file, peak memory, the shares of decoding, backbone and heads, what tags cost
beside captions, and the same models in float32. What is compared takes turns, after one
round that counts for nothing. Without `--images` it draws JPEG files.
"""

import os
import pathlib
import resource
import shutil
import statistics
import tempfile
import time

import numpy as np
from absl import app, flags
from common import cpu, list_photographs

flags.DEFINE_multi_string("model", None, "An export, as annotate.py.", required=True)
flags.DEFINE_string("images", None, "Folder, pattern or list, as annotate.py.")
flags.DEFINE_integer("limit", 1000, "Images at most.", lower_bound=1)
flags.DEFINE_integer("batch_size", 32, "Images per pass.", lower_bound=1)
flags.DEFINE_integer("workers", None, "Threads that read and decode (one a core).")
flags.DEFINE_integer("rounds", 3, "Measurements of each kind.", lower_bound=1)
flags.DEFINE_integer(
    "float32_limit", None, "Images at most for float32, which may be slow (--limit)."
)

FLAGS = flags.FLAGS


def main(argv):
    if len(argv) > 1:
        raise app.UsageError(f"Unexpected arguments: {argv[1:]}")
    os.environ.setdefault("TF_CPP_MIN_LOG_LEVEL", "2")
    from annotator.annotation.model import AnnotationModel
    from annotator.annotation.run import annotate
    from annotator.export.versions import find_exports

    paths = [path for each in FLAGS.model for path in each.split(",")]
    exports = find_exports(paths)
    with tempfile.TemporaryDirectory() as folder:
        folder = pathlib.Path(folder)
        names, listing = list_photographs(FLAGS.images, FLAGS.limit, folder)
        print(f"{len(names)} images, batches of {FLAGS.batch_size}, {cpu()}")
        start = time.perf_counter()
        records, failed = annotate(
            paths,
            listing,
            folder / "records.jsonl",
            batch_size=FLAGS.batch_size,
            workers=FLAGS.workers,
        )
        seconds = time.perf_counter() - start
        peak = resource.getrusage(resource.RUSAGE_SELF).ru_maxrss / 1024
        print(
            f"\nfiles to JSONL with {' and '.join(exports)}, loading included: "
            f"{seconds:.1f} s, {records / seconds:.1f} images/s, {failed} failed, "
            f"peak memory {peak:.0f} MB"
        )
        as_exported = AnnotationModel.load(exports)
        print_shares(as_exported, names)
        if len(exports) > 1:
            alone = {"captioner": exports["captioner"]}
            compare(
                names, {"both": as_exported, "captions": AnnotationModel.load(alone)}
            )
        float32 = AnnotationModel.load(float32_copies(exports, folder))
        names = names[: FLAGS.float32_limit]
        compare(names, {"float32": float32, "as exported": as_exported})


def print_shares(model, names):
    """Decoding, backbone and heads, each alone; they overlap when all is run."""
    from annotator.annotation.records import decoded_batches

    seconds = {}
    for _ in range(2):  # the first time, graphs are traced
        seconds = dict.fromkeys(["decode", "backbone", *model.tasks], 0.0)
        start = time.perf_counter()
        batches = iter(decoded_batches(model, read(names), **options()))
        while batch := next(batches, None):
            seconds["decode"] += time.perf_counter() - start
            if batch[1] is not None:
                start = time.perf_counter()
                regions = model.regions(batch[1])
                [np.asarray(r) for r in regions.values()]
                seconds["backbone"] += time.perf_counter() - start
                for task in model.tasks:
                    start = time.perf_counter()
                    found = model.describe(task, regions[task])
                    [np.asarray(value) for value in found.values()]
                    seconds[task] += time.perf_counter() - start
            start = time.perf_counter()
    print(f"\n{'part':12}{'ms/image':>10}{'share':>8}   (what decoding waits for)")
    total = sum(seconds.values())
    for part, each in seconds.items():
        print(f"{part:12}{1000 * each / len(names):10.2f}{each / total:8.1%}")
    start = time.perf_counter()
    for _ in decoded_batches(model, read(names), **options()):
        pass
    each = time.perf_counter() - start
    print(f"{'decode alone':12}{1000 * each / len(names):10.2f}")


def compare(names, models):
    """Images/s of two models, and how much longer the first takes."""
    from annotator.annotation.records import records

    rates = {name: [] for name in models}
    for turn in range(FLAGS.rounds + 1):
        for name, model in models.items():
            start = time.perf_counter()
            count = sum(1 for _ in records(model, read(names), **options()))
            if turn:
                rates[name].append(count / (time.perf_counter() - start))
    print(f"\n{'model':12}{'images/s':>10}   each round, {len(names)} images")
    medians = {name: statistics.median(each) for name, each in rates.items()}
    for name, each in rates.items():
        rounds = " ".join(f"{rate:.2f}" for rate in each)
        print(f"{name:12}{medians[name]:10.2f}   {rounds}")
    first, second = medians
    ratio = medians[second] / medians[first]
    print(f"{first} takes {ratio:.2f} times as long as {second}")


def read(names):
    from annotator.annotation.listing import read_image
    from annotator.images.read_ahead import map_ahead

    return map_ahead(read_image, names, FLAGS.workers, FLAGS.batch_size)


def options():
    return {"batch_size": FLAGS.batch_size, "workers": FLAGS.workers}


def float32_copies(exports, folder):
    """The same models, told to compute in float32."""
    from annotator.export.versions import DESCRIPTION

    copies = {}
    for task, (version, manifest) in exports.items():
        copy = shutil.copytree(version, folder / task)
        description = copy / DESCRIPTION
        text = description.read_text("utf-8").replace("mixed_bfloat16", "float32")
        description.write_text(text.replace('"bfloat16"', '"float32"'), "utf-8")
        copies[task] = copy, manifest
    return copies


if __name__ == "__main__":
    app.run(main)
