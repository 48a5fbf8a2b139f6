"""CIDEr-D of a whole corpus of captions."""

from collections.abc import Sequence

import numpy as np

from annotator.metrics.cider_reward import CiderReward


def score_cider(
    hypotheses: Sequence[Sequence[str]],
    references: Sequence[Sequence[Sequence[str]]],
) -> tuple[float, list[float]]:
    """Scores captions by CIDEr-D, with the document frequencies of these references.

    Args:
        hypotheses: Tokens of N captions.
        references: Tokens of the references of each.

    Returns:
        `(score, scores of the N images)`, from 0 to 10, as coco-caption computes them.
    """
    ids: dict[str, int] = {}

    def encoded(captions):
        """int32 `[captions, T]`, padded with 0."""
        rows = [[ids.setdefault(word, len(ids) + 1) for word in c] for c in captions]
        array = np.zeros((len(rows), max(map(len, rows), default=0)), np.int32)
        for row, numbers in enumerate(rows):
            array[row, : len(numbers)] = numbers
        return array

    groups = [encoded(group) for group in references]
    longest = max(map(len, hypotheses), default=0)
    captions = encoded(hypotheses)[:, None, :longest]
    scores = CiderReward(groups)(groups, captions)[:, 0].astype(float).tolist()
    return float(np.mean(scores)), scores
