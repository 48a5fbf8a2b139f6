"""BLEU-1 to BLEU-4 of a corpus, as coco-caption computes them.

Reference:
    - Papineni et al., "BLEU: a method for automatic evaluation of machine
      translation", ACL 2002.
"""

from collections.abc import Sequence

import numpy as np
from nltk.translate.bleu_score import closest_ref_length, modified_precision

_ORDERS = 4  # BLEU-1 to BLEU-4


def bleu_counts(
    hypothesis: Sequence[str], references: Sequence[Sequence[str]]
) -> list[int]:
    """Counts what BLEU is computed from, of one image.

    Args:
        hypothesis: Tokens of the caption.
        references: Tokens of each reference.

    Returns:
        10 numbers: matches of each order, n-grams of each order, the caption's length,
        and the length of the reference that is closest (the shorter of two).
    """
    length = len(hypothesis)
    matches = [
        modified_precision(references, hypothesis, n + 1).numerator
        for n in range(_ORDERS)
    ]
    ngrams = [max(0, length - n) for n in range(_ORDERS)]
    return [*matches, *ngrams, length, closest_ref_length(references, length)]


def bleu_of_counts(counts: np.ndarray) -> np.ndarray:
    """Computes BLEU-1 to BLEU-4 of counts that are summed over images.

    Args:
        counts: `[..., 10]`, sums of what `bleu_counts` returns.

    Returns:
        float64 `[4, ...]`.
    """
    counts = np.moveaxis(np.asarray(counts, float), -1, 0)
    matches, ngrams = counts[:_ORDERS], counts[_ORDERS : 2 * _ORDERS]
    length, reference_length = counts[2 * _ORDERS :]
    # The guards of coco-caption, so that degenerate captions score the same there.
    tiny, small = 1e-15, 1e-9
    precisions = (matches + tiny) / (ngrams + small)
    orders = np.arange(1, _ORDERS + 1).reshape(-1, *[1] * (counts.ndim - 1))
    ratio = (length + tiny) / (reference_length + small)
    brevity = np.where(ratio < 1, np.exp(1 - 1 / np.minimum(ratio, 1)), 1)
    return np.cumprod(precisions, axis=0) ** (1 / orders) * brevity
