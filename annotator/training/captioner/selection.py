"""The validation score that picks a captioner's weights.

It is a list of numbers, higher being better, of which the first that differs decides:
what `--select_by` names, the other of BLEU-4 and CIDEr, and the loss, its sign turned.
Unlike a published BLEU-4, this one is 0 where no 4-gram matches: what coco-caption adds
against a division by zero would be the higher the shorter the captions are.
"""

from collections.abc import Callable
from typing import Any

import numpy as np
import tensorflow as tf

from annotator.captioner import Captioner
from annotator.config import Config

_DECIDING = ("bleu_4", "cider")


def selection_score(
    config: Config, scores: dict, loss: Callable[[], float]
) -> list[float]:
    """The numbers that pick an epoch's weights, the first of them before the others.

    Args:
        config: `Config`.
        scores: From `score_captions`.
        loss: The loss of the validation references. It is asked only where it has to
            decide: where BLEU-4 and CIDEr are both 0.
    """
    numbers = dict.fromkeys(_DECIDING, 0.0)
    if matches_four_words(scores):
        numbers["bleu_4"] = scores["bleu_4"]
    numbers["cider"] = scores["cider"]
    ranked = [numbers.pop(config.select_by), *numbers.values()]
    return [*ranked, 0.0 if any(ranked) else -loss()]


def matches_four_words(scores: dict) -> bool:
    """Whether any caption shares four words in a row with a reference.

    Args:
        scores: From `score_captions`.
    """
    return scores["ngram_matches"][3] > 0


def loss_function(captioner: Captioner) -> Any:
    """The `tf.function` from regions and references to the sums of `caption_loss`.

    It is without feedback and dropout.

    Args:
        captioner: `Captioner`, built.
    """

    def loss(regions, tokens):
        return captioner.caption_loss(
            regions, tokens, with_feedback=False, training=False
        )

    return tf.function(loss, autograph=False)


def reference_loss(loss: Any, regions: tf.data.Dataset, tokens: np.ndarray) -> float:
    """The cross entropy of references, a word.

    Args:
        loss: The captioner's `loss_function`, which keeps its graph.
        regions: `tf.data.Dataset` of the regions `[B, R, D]` of N images, in order.
        tokens: int32 `[N, C, T]`, their references.
    """
    sums_of = loss.get_concrete_function(
        regions.element_spec, tf.TensorSpec((None, *tokens.shape[1:]), tf.int32)
    )
    cross_entropy, words, row = 0.0, 0.0, 0
    for batch in regions:
        sums = sums_of(batch, tf.constant(tokens[row : row + len(batch)]))
        cross_entropy += float(sums["cross_entropy"])
        words += float(sums["tokens"])
        row += len(batch)
    return cross_entropy / words
