"""Scores a trained run on a split of its data set."""

import os

from absl import app, flags

flags.DEFINE_string("workdir", None, "The run's folder.", required=True)
flags.DEFINE_string("split", "validation", "The split to score.")
flags.DEFINE_bool("compare", False, "Add the published rows for this data set.")


def main(argv):
    if len(argv) > 1:
        raise app.UsageError(f"Unexpected arguments: {argv[1:]}")
    # TensorFlow is slow to import: `--help` and wrong flags are answered before.
    os.environ.setdefault("TF_CPP_MIN_LOG_LEVEL", "2")
    from annotator.evaluation import evaluate

    _, table = evaluate(flags.FLAGS.workdir, flags.FLAGS.split, flags.FLAGS.compare)
    print(f"\n{table}")


if __name__ == "__main__":
    app.run(main)
