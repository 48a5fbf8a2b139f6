"""Where a captioner looked at each word, as maps to be laid over the image."""

import math

import numpy as np


def word_maps(attention: np.ndarray, words: int) -> np.ndarray | None:
    """The mean over the layers that attend, a map a word.

    Args:
        attention: Of one image, float `[T, layers, R]`, as `Captioner.generate` returns
            it; `words` of its T steps or more.
        words: How many words the caption has.

    Returns:
        float `[words, side, side]`, each at most 1; `None` where there is no word, the
        captioner does not attend, or not to a square of regions.
    """
    attention = attention[:words]
    side = math.isqrt(attention.shape[-1])
    if not attention.size or side * side != attention.shape[-1]:
        return None
    maps = attention.mean(axis=1)
    maps = maps / np.maximum(maps.max(axis=1, keepdims=True), 1e-12)
    return maps.reshape(len(maps), side, side)
