"""Which words are said instead of which."""

import dataclasses
from collections.abc import Sequence

import numpy as np
from scipy import sparse


@dataclasses.dataclass(frozen=True)
class Confusion:
    """A word that was said where another one would have been right.

    Attributes:
        said: The word that was said and is wrong.
        missed: The word that is right and was not said.
        images: How many images it happened to.
        expected: To how many it would have if the two mistakes had nothing to do with
            each other.
    """

    said: str
    missed: str
    images: int
    expected: float


def confusions(
    wrong: np.ndarray, missed: np.ndarray, words: Sequence[str], wanted: int = 20
) -> list[Confusion]:
    """Finds the pairs of mistakes that come together most.

    Of two frequent mistakes many come together by chance. Pairs are therefore ranked by
    how many images they are of beyond what chance would bring.

    Args:
        wrong: bool `[N, W]`, where a word was said of an image and is wrong.
        missed: bool `[N, W]`, where a word is right and was not said.
        words: The W words.
        wanted: How many pairs come back at most.

    Returns:
        The pairs, the most frequent beyond chance first; each is of two images at
        least.
    """
    images = len(wrong)
    said = sparse.csr_array(wrong).astype(np.int64)
    lacking = sparse.csr_array(missed).astype(np.int64)
    pairs = sparse.coo_array(said.T @ lacking)
    first, second = pairs.row, pairs.col
    counts = pairs.data
    expected = wrong.sum(0)[first] * missed.sum(0)[second] / max(images, 1)
    surplus = np.where(counts > 1, counts - expected, 0.0)
    # Equal ones in the order of the words.
    order = np.lexsort((second, first, -surplus))[:wanted]
    return [
        Confusion(words[first[i]], words[second[i]], int(counts[i]), float(expected[i]))
        for i in order
        if surplus[i] > 0
    ]
