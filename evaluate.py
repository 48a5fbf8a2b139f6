"""Scores a trained run on a split of its data set."""

import os
import sys

from absl import app, flags, logging

flags.DEFINE_string("workdir", None, "The run's folder.", required=True)
flags.DEFINE_string("split", "validation", "The split to score.")
flags.DEFINE_enum("task", "all", ["tagger", "captioner", "all"], "What to score.")
flags.DEFINE_string("data_dir", None, "The data set's folder, if it moved.")
flags.DEFINE_string("cache_dir", None, "Feature caches, if they are elsewhere now.")
flags.DEFINE_bool("skip_bad_images", None, "Go on without unreadable images.")
flags.DEFINE_bool("compare", False, "Add the published rows for this data set.")
flags.DEFINE_integer(
    "pictures", 0, "Images to draw with what was said of them.", lower_bound=0
)
flags.DEFINE_integer(
    "attention", 0, "Images to draw with where each layer looked.", lower_bound=0
)


def main(argv):
    if len(argv) > 1:
        raise app.UsageError(f"Unexpected arguments: {argv[1:]}")
    if not flags.FLAGS["verbosity"].present:
        logging.set_verbosity(logging.WARNING)
    # TensorFlow is slow to import: `--help` and wrong flags are answered before.
    os.environ.setdefault("TF_CPP_MIN_LOG_LEVEL", "2")
    from annotator.evaluation.run import evaluate

    try:
        _, table = evaluate(
            flags.FLAGS.workdir,
            flags.FLAGS.split,
            flags.FLAGS.compare,
            flags.FLAGS.pictures,
            flags.FLAGS.attention,
            flags.FLAGS.task,
            data_dir=flags.FLAGS.data_dir,
            cache_dir=flags.FLAGS.cache_dir,
            skip_bad_images=flags.FLAGS.skip_bad_images,
        )
    except (ValueError, OSError) as error:
        logging.debug("", exc_info=True)
        sys.exit(f"error: {error}\n(with --verbosity=1: where it came from)")
    except KeyboardInterrupt:
        sys.exit(130)
    print(f"\n{table}")


if __name__ == "__main__":
    app.run(main)
