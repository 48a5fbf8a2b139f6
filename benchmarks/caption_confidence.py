"""What does a caption's `word_probability` say of the caption?

    python benchmarks/caption_confidence.py --workdir=runs/flickr8k

sorts the captions of validation images by it into fifths, and prints for each what was
said, by halves, what people used, how sure the captioner was, and the CIDEr.
"""

import numpy as np
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
    from annotator.evaluation.caption_probabilities import judged_captions
    from annotator.evaluation.captioning import describe_split
    from annotator.metrics.cider import score_cider
    from annotator.metrics.tokenizer import tokenize
    from annotator.runs.heads import CAPTIONER
    from annotator.runs.run import Run

    run = Run.open(FLAGS.workdir, cache_dir=FLAGS.cache_dir, data_dir=FLAGS.data_dir)
    own = run.word_probability()
    if own is None:
        raise app.UsageError(
            f"--workdir={FLAGS.workdir} is not calibrated: give the command of its "
            "training again."
        )
    references = run.split(CAPTIONER, FLAGS.split).annotated.captions
    said = describe_split(run, FLAGS.split)
    judged, hits, words = judged_captions(run, FLAGS.split, said, references)
    sure = np.exp(said.mean_log_probs)
    stated = own(said.mean_log_probs).numpy()
    _, ciders = score_cider(
        [tokenize(caption) for caption in said.captions],
        [[tokenize(text) for text in group] for group in references],
    )
    ciders = np.array(ciders)
    print(
        f"{'word_probability':>18}{'captions':>10}{'said':>8}{'people':>8}"
        f"{'how sure':>16}{'CIDEr':>8}"
    )
    order = np.argsort(stated, kind="stable")
    for rows in np.array_split(order, _PARTS):
        told = np.average(judged[rows], weights=words[rows])
        people = hits[rows].sum() / words[rows].sum()
        print(
            f"{_range(stated[rows]):>18}{len(rows):10}{100 * told:7.1f}%"
            f"{100 * people:7.1f}%{_range(sure[rows]):>16}"
            f"{100 * ciders[rows].mean():8.1f}"
        )
    print(f"rank correlation with CIDEr: {_rank_correlation(stated, ciders):.2f}")


def _range(numbers):
    return f"{numbers.min():.2f} to {numbers.max():.2f}"


def _rank_correlation(one, other):
    ranks = [np.argsort(np.argsort(each)) for each in (one, other)]
    return np.corrcoef(*ranks)[0, 1]


if __name__ == "__main__":
    app.run(main)
