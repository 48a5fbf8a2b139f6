"""What does a caption's mean probability of a word say of the caption?

    python benchmarks/caption_confidence.py --workdir=runs/flickr8k

sorts the captions of validation images by `word_probability` into fifths, and prints
for each its CIDEr, the share of its words that stand in a reference, and the rank
correlation of the probability with the CIDEr of a caption.
"""

import numpy as np
import tensorflow as tf
from absl import app, flags

flags.DEFINE_string("workdir", None, "A run with a captioner.", required=True)
flags.DEFINE_string("split", "validation", "The split.")
flags.DEFINE_string("cache_dir", None, "As train.py.")
flags.DEFINE_string("data_dir", None, "As train.py.")

FLAGS = flags.FLAGS

_PARTS = 5


def main(argv):
    if len(argv) > 1:
        raise app.UsageError(f"Unexpected arguments: {argv[1:]}")
    import annotator.layers  # noqa: F401
    from annotator.annotation.model import _word_probabilities
    from annotator.metrics.cider import score_cider
    from annotator.metrics.tokenizer import tokenize
    from annotator.runs.heads import CAPTIONER
    from annotator.runs.run import Run

    run = Run.open(FLAGS.workdir, cache_dir=FLAGS.cache_dir, data_dir=FLAGS.data_dir)
    split, captioner = run.split(CAPTIONER, FLAGS.split), run.captioner()
    penalty = run.config.length_penalty

    def describe(regions):
        found = captioner.generate(regions)
        best = found["n_best_tokens"][:, :1], found["n_best_scores"][:, :1]
        return found["captions"], _word_probabilities(*best, penalty)[:, 0]

    batches = split.regions(64)
    describe = tf.function(describe, autograph=False).get_concrete_function(
        batches.element_spec
    )
    parts = [[each.numpy() for each in describe(batch)] for batch in batches]
    captions, probabilities = (
        np.concatenate(column) for column in zip(*parts, strict=True)
    )
    said = [tokenize(caption.decode()) for caption in captions]
    references = [
        [tokenize(text) for text in group] for group in split.annotated.captions
    ]
    _, ciders = score_cider(said, references)
    known = [
        np.mean([word in {w for text in group for w in text} for word in words] or [0])
        for words, group in zip(said, references, strict=True)
    ]
    print(
        f"{'probability of a word':>24}{'captions':>10}{'CIDEr':>8}{'known words':>13}"
    )
    order = np.argsort(probabilities, kind="stable")
    for rows in np.array_split(order, _PARTS):
        low, high = probabilities[rows[0]], probabilities[rows[-1]]
        print(
            f"{f'{low:.2f} to {high:.2f}':>24}{len(rows):10}"
            f"{100 * np.mean(np.array(ciders)[rows]):8.1f}"
            f"{100 * np.mean(np.array(known)[rows]):12.1f}%"
        )
    print(
        f"rank correlation with CIDEr: {_rank_correlation(probabilities, ciders):.2f}"
    )


def _rank_correlation(one, other):
    ranks = [np.argsort(np.argsort(each)) for each in (one, other)]
    return np.corrcoef(*ranks)[0, 1]


if __name__ == "__main__":
    app.run(main)
