"""ROUGE-L: the longest common subsequence of a caption and its references."""

from collections.abc import Sequence

import numpy as np

_BETA = 1.2  # weight of recall, as in coco-caption


def score_rouge_l(
    hypotheses: Sequence[Sequence[str]],
    references: Sequence[Sequence[Sequence[str]]],
) -> tuple[float, list[float]]:
    """Scores captions by ROUGE-L, as coco-caption does.

    Of an image, the best precision and the best recall among its references count, each
    for itself.

    Args:
        hypotheses: Tokens of N captions.
        references: Tokens of the references of each.

    Returns:
        `(score, scores of the N images)`, fractions.

    Source: Lin, "ROUGE: a package for automatic evaluation of summaries", 2004.
    """
    scores = [
        _score(hypothesis, group)
        for hypothesis, group in zip(hypotheses, references, strict=True)
    ]
    return float(np.mean(scores)), scores


def _score(hypothesis, group):
    common = [_common_length(hypothesis, reference) for reference in group]
    precision = max(common) / max(len(hypothesis), 1)
    recall = max(n / max(len(r), 1) for n, r in zip(common, group, strict=True))
    if not precision or not recall:
        return 0.0
    square = _BETA**2
    return (1 + square) * precision * recall / (recall + square * precision)


def _common_length(one, other):
    """Length of the longest common subsequence."""
    lengths = [0] * (len(other) + 1)
    for token in one:
        diagonal = 0
        for place, another in enumerate(other, 1):
            above = lengths[place]
            if token == another:
                lengths[place] = diagonal + 1
            elif lengths[place - 1] > above:
                lengths[place] = lengths[place - 1]
            diagonal = above
    return lengths[-1]
