"""Scores of the words that are given, from those of the words that were learned."""

from collections.abc import Mapping, Sequence

import tensorflow as tf


class ChosenWords:
    """Names, joins and leaves out words.

    Args:
        sources: Dict from each of V words that are given to the indices of the words
            that it is made of, as of `WordRules.apply`.

    Attributes:
        words: The V words.
    """

    def __init__(self, sources: Mapping[str, Sequence[int]]) -> None:
        self.words = list(sources)
        most = max(map(len, sources.values()))
        # Each row repeats its last index: the highest score stays the same.
        self._indices = [
            [*each, *[each[-1]] * (most - len(each))] for each in sources.values()
        ]

    def __call__(self, scores: tf.Tensor) -> tf.Tensor:
        """The scores of the words that are given.

        Args:
            scores: A score a learned word, float32 `[batch, W]`.

        Returns:
            float32 `[batch, V]`, each the highest of the words that it is made of.
        """
        return tf.reduce_max(tf.gather(scores, self._indices, axis=1), axis=2)
