"""Probabilities of the words of captions held against what people wrote."""

from collections.abc import Sequence
from typing import Any

import numpy as np

from annotator.captioner import fit_word_probability
from annotator.evaluation.captioning import SaidCaptions
from annotator.evaluation.reliability_table import (
    out_of_sample,
    reliability_facts,
    reliability_lines,
)
from annotator.metrics.caption_words import said_words
from annotator.runs.run import Run


def judged_captions(
    run: Run, split: str, said: SaidCaptions, references: Sequence[Sequence[str]]
) -> tuple[np.ndarray, np.ndarray, np.ndarray]:
    """Probabilities of captions, and what came true; see `out_of_sample`.

    Args:
        run: The run, calibrated.
        split: Name of the split.
        said: What was said of its N images.
        references: What people wrote of each.

    Returns:
        `(probabilities, hits, words)`: float `[N]`; int `[N]` twice, how many of a
        caption's content words people used, too, and how many it has.
    """
    hits, words = said_words(said.captions, references).content_hits()

    def predict(fitted_to, rows):
        calibration = run.word_probability()
        if fitted_to is not None:
            if not words[fitted_to].any():
                return None
            calibration = fit_word_probability(
                said.mean_log_probs[fitted_to], hits[fitted_to], words[fitted_to]
            )
        return np.asarray(calibration(said.mean_log_probs[rows]))

    return out_of_sample(run, split, len(words), predict), hits, words


def caption_reliability(
    run: Run, split: str, said: SaidCaptions, references: Sequence[Sequence[str]]
) -> dict[str, Any]:
    """How far the probabilities of captions can be believed.

    Args:
        run: As of `judged_captions`.
        split: As of `judged_captions`.
        said: As of `judged_captions`.
        references: As of `judged_captions`.

    Returns:
        `caption_reliability`, of the content words of all captions, as of
        `reliability_facts`.
    """
    probabilities, hits, words = judged_captions(run, split, said, references)
    right = np.concatenate([np.arange(n) < k for k, n in zip(hits, words, strict=True)])
    facts = reliability_facts(np.repeat(probabilities, words), right)
    return {"caption_reliability": facts}


def caption_reliability_note(metrics: dict[str, Any]) -> str:
    """Lines below a table of captions: the mean error, and a column a tenth.

    Args:
        metrics: From `caption_reliability`.
    """
    facts = metrics["caption_reliability"]
    if facts is None:
        return ""
    return "\n".join(
        [
            "",
            "probabilities that people use a caption's words: off by "
            f"{100 * facts['calibration_error']:.1f} points in the mean",
            *reliability_lines(facts, "content words"),
        ]
    )
