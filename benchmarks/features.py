"""How fast do image files become stored feature maps, in which precision?

    python benchmarks/features.py
    python benchmarks/features.py --dataset=corel5k --data_dir=DIR --backbone=resnet50

times `annotator.features.extract` as `train.py` calls it, from the files to a finished
and verified cache, in float32 and in the precision that `auto` chooses here. The two
take turns, each time with a new cache. Without `--images` or `--dataset` it draws
JPEG files of Corel5k's size.
"""

import os
import pathlib
import statistics
import tempfile
import time

from absl import app, flags
from common import cpu, draw_photographs

flags.DEFINE_string("images", None, "Folder of image files.")
flags.DEFINE_string("dataset", None, "Or a data set of train.py.")
flags.DEFINE_string("split", "train", "Its split.")
flags.DEFINE_string("data_dir", None, "Its folder.")
flags.DEFINE_string("backbone", "vgg16", "A network of keras.applications.")
flags.DEFINE_string("backbone_weights", "random", "imagenet, random or a file's path.")
flags.DEFINE_string("tap", None, "Layer to store (default: the network's).")
flags.DEFINE_integer("size", 224, "Side of the network's input in pixels.")
flags.DEFINE_integer("batch_size", 32, "Images per forward pass.")
flags.DEFINE_integer("limit", 128, "Images per measurement.", lower_bound=1)
flags.DEFINE_integer("rounds", 3, "Measurements of each precision.", lower_bound=1)

FLAGS = flags.FLAGS


def main(argv):
    if len(argv) > 1:
        raise app.UsageError(f"Unexpected arguments: {argv[1:]}")
    os.environ.setdefault("TF_CPP_MIN_LOG_LEVEL", "2")
    from annotator.backbones import build_backbone, resolve_precision

    automatic = resolve_precision("auto")
    precisions = dict.fromkeys([automatic, "float32"])
    networks = {
        precision: build_backbone(
            FLAGS.backbone, FLAGS.tap, FLAGS.backbone_weights, precision
        )
        for precision in precisions
    }
    with tempfile.TemporaryDirectory() as folder:
        images = image_source(pathlib.Path(folder))
        warm_up = images.select(range(min(len(images), FLAGS.batch_size)))
        for network in networks.values():
            seconds_of(network, warm_up)
        rates = {precision: [] for precision in networks}
        for _ in range(FLAGS.rounds):
            for precision, network in networks.items():
                rates[precision].append(len(images) / seconds_of(network, images))
    (tap,) = networks["float32"].output
    print(
        f"\n{FLAGS.backbone} {tap}, {FLAGS.size} x {FLAGS.size} pixels, {len(images)} "
        f"images, {cpu()}\n\n{'precision':12}{'images/s':>10}   each round"
    )
    for precision, each in rates.items():
        rounds = " ".join(f"{rate:.1f}" for rate in each)
        print(f"{precision:12}{statistics.median(each):10.2f}   {rounds}")
    if automatic == "float32":
        print("\nauto is float32: this machine has no native bfloat16")
    else:
        medians = {name: statistics.median(each) for name, each in rates.items()}
        ratio = medians[automatic] / medians["float32"]
        print(f"\nauto ({automatic}) to float32: {ratio:.2f} times as fast")


def image_source(folder):
    """The first `--limit` images of what the flags name, else drawn ones."""
    from annotator import datasets
    from annotator.datasets.image_files import ImageFiles
    from annotator.files.image_formats import EXTENSIONS

    if FLAGS.dataset:
        images = datasets.load(FLAGS.dataset, FLAGS.split, data_dir=FLAGS.data_dir)
        return images.select(range(min(len(images), FLAGS.limit)))
    if FLAGS.images:
        files = pathlib.Path(FLAGS.images).rglob("*")
        paths = sorted(path for path in files if path.suffix.lower() in EXTENSIONS)
        if not paths:
            raise app.UsageError(f"No image files below {FLAGS.images}.")
    else:
        paths = draw_photographs(folder, FLAGS.limit)
    paths = paths[: FLAGS.limit]
    return datasets.AnnotatedImages(
        "benchmark", "images", tuple(map(str, paths)), ImageFiles(paths)
    )


def seconds_of(network, images):
    """Wall time from the files to a finished cache."""
    from annotator.features import extract
    from annotator.images import Resize

    (tap,) = network.output
    with tempfile.TemporaryDirectory() as cache_dir:
        start = time.perf_counter()
        extract(
            images,
            Resize(FLAGS.size),
            network,
            tap,
            cache_dir,
            batch_size=FLAGS.batch_size,
        )
        return time.perf_counter() - start


if __name__ == "__main__":
    app.run(main)
