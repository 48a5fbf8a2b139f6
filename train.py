"""Trains the tagger, scores it and exports it. `python train.py` needs no data."""

import os

from absl import app, flags

flags.DEFINE_enum("task", "tagger", ["tagger", "captioner", "all"], "What to train.")
flags.DEFINE_string("dataset", "shapes", "A data set; see the README for the names.")
flags.DEFINE_string("data_dir", None, "Its folder (default: $ANNOTATOR_DATA/DATASET).")
flags.DEFINE_string("workdir", None, "The run's folder (default: runs/DATASET).")
flags.DEFINE_string("cache_dir", None, "Feature caches (default: ~/.cache/annotator).")
flags.DEFINE_bool("skip_bad_images", False, "Go on without unreadable images.")
flags.DEFINE_string("eval_split", None, "Split to score (default: validation).")
flags.DEFINE_integer("seed", 0, "Seed of everything random.")

flags.DEFINE_string("backbone", "vgg16", "A network of keras.applications.")
flags.DEFINE_string("backbone_weights", None, "imagenet, random or a file's path.")
flags.DEFINE_string("tap", None, "Layer the tagger reads (vgg16: block5_conv2).")
flags.DEFINE_enum("precision", "auto", ["auto", "float32", "bfloat16"], "Arithmetic.")
flags.DEFINE_list("scales", None, "Sides in pixels, one view each (default: 224).")
flags.DEFINE_bool("flip", None, "Add mirrored views.")
flags.DEFINE_enum("aspect", None, ["squash", "center_crop"], "Images to squares.")
flags.DEFINE_enum(
    "resize_method", None, ["bilinear", "bicubic", "area", "lanczos3"], "Resizing."
)
flags.DEFINE_integer("batch_size", None, "Images per pass of the backbone.")

flags.DEFINE_enum("tagger", None, ["means", "jec", "2pknn"], "How tags are chosen.")
flags.DEFINE_integer("components", None, "PCA dimensions of a descriptor.")
flags.DEFINE_integer("codebook", None, "Visual words of the VLAD.")
flags.DEFINE_list("vlad", None, "VLAD normalisations: power, intra, l2; or 'none'.")
flags.DEFINE_enum(
    "similarity", None, ["whitened", "l2", "cosine"], "To the mean vectors."
)
flags.DEFINE_float("shrinkage", None, "Shrinkage of the whitening's covariance.")
flags.DEFINE_float("margin", None, "Share of a word's typical similarity taken off.")
flags.DEFINE_integer("neighbours", None, "K of jec and 2pknn.")
flags.DEFINE_integer("top_k", None, "Tags per image (0: all above --threshold).")
flags.DEFINE_float("threshold", None, "Lowest score of a tag.")
flags.DEFINE_string("extend", None, "Workdir whose tagger gets these images and words.")

# Flags that are no settings of the result.
_PLACES = ("workdir", "eval_split")


def main(argv):
    if len(argv) > 1:
        raise app.UsageError(f"Unexpected arguments: {argv[1:]}")
    # TensorFlow is slow to import: `--help` and wrong flags are answered before.
    os.environ.setdefault("TF_CPP_MIN_LOG_LEVEL", "2")
    from annotator.config import Config
    from annotator.training import train

    defined = flags.FLAGS.flags_by_module_dict()[argv[0]]
    settings = {f.name: f.value for f in defined if f.name not in _PLACES}
    if settings["scales"]:
        settings["scales"] = tuple(int(side) for side in settings["scales"])
    if settings["vlad"]:
        settings["vlad"] = tuple(name for name in settings["vlad"] if name != "none")
    workdir = flags.FLAGS.workdir or os.path.join("runs", settings["dataset"])
    default_split = "test" if settings["dataset"] == "shapes" else "validation"
    _, table, exports = train(
        Config.for_dataset(**settings), workdir, flags.FLAGS.eval_split or default_split
    )
    print(f"\n{table}\n\nexported:", *exports, sep="\n  ")


if __name__ == "__main__":
    app.run(main)
