"""Which tags an image is given: those above the thresholds that settings ask for."""

import os
from collections.abc import Callable
from typing import Any

import tensorflow as tf

from annotator.tagger.calibration import CalibratedProbabilities
from annotator.tagger.rules.held_out_precision import HeldOutPrecision, promised
from annotator.tagger.rules.word_thresholds import WordThresholds
from annotator.tagger.top_tags import TopTags


def asked_thresholds(
    precision: float | None,
    probability: float | None,
    held_out: Callable[[], HeldOutPrecision | None],
    calibration: Callable[[], CalibratedProbabilities | None],
    model: str | os.PathLike,
) -> WordThresholds | None:
    """The thresholds that `tag_precision` or `tag_probability` asks for, if any.

    Args:
        precision: The setting `tag_precision`.
        probability: The setting `tag_probability`; `precision` goes before it.
        held_out: Called for what `precision` needs.
        calibration: Called for what `probability` needs.
        model: Where the model is, for messages.

    Returns:
        A layer from scores to those that are above; `None` where neither is asked for.

    Raises:
        ValueError: When there were no images to tell them by, or no word can reach
            the precision.
    """
    if precision is not None:
        thresholds = promised(held_out(), precision, "--tag_precision", model)
    elif probability is not None:
        calibrated = calibration()
        if calibrated is None:
            raise ValueError(
                f"--tag_probability={probability} needs images that tell how probable "
                f"tags are, and {model} had none: train on a data set with a "
                "validation split, or give --threshold."
            )
        thresholds = calibrated.scores_at(probability)
    else:
        return None
    return WordThresholds.of(thresholds, name="word_thresholds")


def given_tags(
    tagger: Callable[[tf.Tensor], tf.Tensor],
    top: TopTags,
    thresholds: WordThresholds | None,
    probabilities: CalibratedProbabilities | None,
) -> Callable[[tf.Tensor], dict[str, Any]]:
    """Puts together what an exported tagger says.

    Args:
        tagger: From regions, float `[batch, R, channels]`, to scores, float32
            `[batch, W]`.
        top: Picks from the scores.
        thresholds: Which of them are high enough; `None` where `top` alone decides.
        probabilities: From scores to probabilities; `None` where nothing tells them.

    Returns:
        Function from regions to what `top` returns.
    """

    def outputs(regions):
        scores = tagger(regions)
        given = scores if thresholds is None else thresholds(scores)
        if probabilities is None:
            return top(given)
        return top(given, probabilities(scores))

    return outputs
