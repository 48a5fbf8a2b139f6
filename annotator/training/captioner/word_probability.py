"""The calibration of a run's captioner, on captions of images that it did not learn."""

from annotator.captioner import fit_word_probability
from annotator.evaluation.captioning import describe_split
from annotator.metrics.caption_words import said_words
from annotator.runs.heads import CAPTIONER
from annotator.runs.run import Run


def fit_run_word_probability(run: Run) -> None:
    """Fits how probable it is that people use the words of captions.

    The captions of the validation images tell it, decoded as the settings say; where
    that was done already, nothing is. Where these images are learned, nothing can tell.

    Args:
        run: The run, whose captioner is trained and has its re-ranker.
    """
    if not run.config.holds_out_validation:
        print(
            "nothing tells how probable the words of captions are: "
            f"--train_split={run.config.train_split} learns the others"
        )
        return
    if run.word_probability() is not None:
        return
    said = describe_split(run, "validation")
    references = run.split(CAPTIONER, "validation").annotated.captions or ()
    hits, words = said_words(said.captions, references).content_hits()
    if not words.any():
        print("no validation caption has a content word, so they get no probability")
        return
    run.keep_word_probability(fit_word_probability(said.mean_log_probs, hits, words))
