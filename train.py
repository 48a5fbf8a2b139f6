"""Trains models that tag and caption images, scores them and exports them.

`python train.py` alone needs no data: it draws some. An interrupted run goes on where
it stopped when the same command is given again.
"""

import os
import sys

from absl import app, flags, logging

from annotator.config import CHOICES, Config

flags.DEFINE_enum("task", None, CHOICES["task"], "What to train (all).")
flags.DEFINE_string("dataset", "shapes", "A data set; see the README for the names.")
flags.DEFINE_string("data_dir", None, "Its folder (default: $ANNOTATOR_DATA/DATASET).")
flags.DEFINE_string("workdir", None, "The run's folder (default: runs/DATASET).")
flags.DEFINE_string("cache_dir", None, "Feature caches (default: $ANNOTATOR_CACHE).")
flags.DEFINE_bool("skip_bad_images", False, "Go on without unreadable images.")
flags.DEFINE_string("eval_split", None, "Split to score (validation; shapes: test).")
flags.DEFINE_integer("seed", 0, "Seed of everything random.")

flags.DEFINE_string("backbone", None, "Of keras.applications, or alexnet (vgg16).")
flags.DEFINE_string("backbone_weights", None, "imagenet, random or a file's path.")
flags.DEFINE_enum("precision", None, CHOICES["precision"], "Arithmetic.")
flags.DEFINE_list("scales", None, "Sides in pixels, one view each (224).")
flags.DEFINE_enum("aspect", None, CHOICES["aspect"], "Images to squares.")
flags.DEFINE_enum("resize_method", None, CHOICES["resize_method"], "Resizing.")
flags.DEFINE_integer("batch_size", None, "Images per pass of the backbone.")

flags.DEFINE_string("tap", None, "Layer the tagger reads (vgg16: block5_conv2).")
flags.DEFINE_bool("flip", None, "Adds mirrored views to the tagger's.")
flags.DEFINE_enum(
    "tagger",
    None,
    CHOICES["tagger"],
    "How tags are chosen (means).",
)
flags.DEFINE_integer("components", None, "PCA dimensions of a descriptor (256).")
flags.DEFINE_integer("codebook", None, "Visual words of the VLAD (16).")
flags.DEFINE_list("vlad", None, "Any of power, intra, l2; or none (power,l2).")
flags.DEFINE_enum(
    "similarity", None, CHOICES["similarity"], "To the words' means (whitened)."
)
flags.DEFINE_float("shrinkage", None, "Shrinkage of the whitening's covariance (1e-3).")
flags.DEFINE_float("margin", None, "Share of typical similarity taken off (0.7).")
flags.DEFINE_integer("neighbours", None, "K of jec and 2pknn (5).")
flags.DEFINE_integer("grid", None, "Cells along a side of mbrm's images (3).")
flags.DEFINE_float("bandwidth", None, "Variance of mbrm's kernel to its cells' (0.03).")
flags.DEFINE_float("smoothing", None, "Images one counts for in mbrm (1e5).")
flags.DEFINE_integer("tag_epochs", None, "Passes in which finetuned learns (10).")
flags.DEFINE_integer("tag_batch", None, "Images per step of finetuned (32).")
flags.DEFINE_float("tag_rate", None, "Peak learning rate of finetuned (1e-3).")
flags.DEFINE_float("tag_convolution_rate", None, "Its factor for convolutions (0.1).")
flags.DEFINE_float("tag_dropout", None, "Its rate of dropout (0.5).")
flags.DEFINE_integer("top_k", None, "Tags per image (5; 0: all above --threshold).")
flags.DEFINE_float("threshold", None, "Lowest score of a tag.")
flags.DEFINE_string("extend", None, "Workdir whose tagger gets these images and words.")

flags.DEFINE_string(
    "captioner_tap", None, "Layer the captioner reads (vgg16: block5_conv3)."
)
flags.DEFINE_integer("min_count", None, "Occurrences that make a word known (5).")
flags.DEFINE_integer("max_length", None, "Words per caption (20).")
flags.DEFINE_enum(
    "decoder",
    None,
    CHOICES["decoder"],
    "The network that writes (stacked).",
)
flags.DEFINE_integer("layers", None, "Layers of the stacked decoder, 1 to 6 (2).")
flags.DEFINE_enum("feedback", None, CHOICES["feedback"], "What the feedback reads.")
flags.DEFINE_integer("rounds", None, "Rounds of text feedback (0; with --feedback 1).")
flags.DEFINE_integer("feedback_start", None, "Epochs before the feedback joins (1).")
flags.DEFINE_integer("units", None, "Width of states and word vectors (512).")
flags.DEFINE_integer("attention_units", None, "Width of the attention (256).")
flags.DEFINE_bool("tied", None, "Word vectors are also the output weights.")
flags.DEFINE_float("dropout", None, "Rate of dropout (0.4).")
flags.DEFINE_integer("epochs", None, "Passes over the captions (12).")
flags.DEFINE_integer("self_critical_epochs", None, "Then passes for rewards (0).")
flags.DEFINE_float("self_critical_rate", None, "Their peak learning rate (1e-4).")
flags.DEFINE_integer("self_critical_samples", None, "Captions drawn an image (5).")
flags.DEFINE_integer("caption_batch", None, "Images per step (16).")
flags.DEFINE_bool("caption_flip", None, "Mirror images every other epoch (true).")
flags.DEFINE_enum("schedule", None, CHOICES["schedule"], "Optimizer and rates.")
flags.DEFINE_float("learning_rate", None, "Peak learning rate (1e-3).")
flags.DEFINE_float("dense_rate", None, "Factor of the rate of dense layers (1).")
flags.DEFINE_float("convolution_rate", None, "The same of convolutions (0.01).")
flags.DEFINE_bool("finetune_backbone", None, "Train the backbone too, on images.")
flags.DEFINE_float("weight_decay", None, "Of AdamW (0.01).")
flags.DEFINE_float("clip_norm", None, "Largest norm of a gradient (5).")
flags.DEFINE_float("label_smoothing", None, "Share spread over all words (0.1).")
flags.DEFINE_float("attention_regularizer", None, "Doubly stochastic attention (0).")
flags.DEFINE_enum("select_by", None, CHOICES["select_by"], "Score that picks weights.")
flags.DEFINE_integer("patience", None, "Epochs without a better score (4).")
flags.DEFINE_integer("beams", None, "Beams of the search, also in the export (5).")
flags.DEFINE_float("length_penalty", None, "Power of the length in scores (0.7).")
flags.DEFINE_integer("no_repeat_ngram", None, "N-grams not to repeat (0: allowed).")
flags.DEFINE_integer("checkpoint_steps", None, "Steps between checkpoints (100).")
flags.DEFINE_bool("jit_compile", None, "Attention compiled by XLA (true).")

# Flags that are no settings of the result.
_PLACES = ("workdir", "eval_split")


def _sides(texts):
    try:
        return tuple(int(text) for text in texts)
    except ValueError as error:
        raise ValueError(
            f"--scales needs sides in pixels, got {','.join(texts)}."
        ) from error


def main(argv):
    if len(argv) > 1:
        raise app.UsageError(f"Unexpected arguments: {argv[1:]}")
    if not flags.FLAGS["verbosity"].present:
        logging.set_verbosity(logging.WARNING)
    os.environ.setdefault("TF_CPP_MIN_LOG_LEVEL", "2")
    defined = flags.FLAGS.flags_by_module_dict()[argv[0]]
    settings = {f.name: f.value for f in defined if f.name not in _PLACES}
    shapes = settings["dataset"] == "shapes"
    workdir = flags.FLAGS.workdir or os.path.join("runs", settings["dataset"])
    split = flags.FLAGS.eval_split or ("test" if shapes else "validation")
    try:
        if settings["scales"] is not None:
            settings["scales"] = _sides(settings["scales"])
        if settings["vlad"] == ["none"]:
            settings["vlad"] = ()
        config = Config.for_dataset(**settings)
        # TensorFlow is slow to import: `--help` and wrong flags are answered before.
        from annotator.training.run import train

        _, table, exports = train(config, workdir, split)
    except (ValueError, OSError, FloatingPointError) as error:
        logging.debug("", exc_info=True)
        sys.exit(f"error: {error}\n(with --verbosity=1: where it came from)")
    except KeyboardInterrupt:
        print("\ninterrupted: the same command goes on", file=sys.stderr)
        sys.exit(130)
    if exports:  # not for other workers than the first
        print(f"\n{table}\n\nexported:", *exports, sep="\n  ")


if __name__ == "__main__":
    app.run(main)
