"""How often each word of captions was said, and how often rightly."""

import collections
import dataclasses
import itertools
from collections.abc import Sequence

import numpy as np
from sklearn.feature_extraction.text import ENGLISH_STOP_WORDS

from annotator.metrics.tokenizer import tokenize


@dataclasses.dataclass(frozen=True)
class SaidWords:
    """Words of captions beside those of the references.

    Attributes:
        words: The W words of both, in alphabetical order.
        said: bool `[N, W]`, whether the caption of an image has the word.
        heard: bool `[N, W]`, whether any of its references has it.
        common: bool `[N, W]`, whether half of its references have it, or more.
    """

    words: list[str]
    said: np.ndarray
    heard: np.ndarray
    common: np.ndarray

    @property
    def wrong(self) -> np.ndarray:
        """Where a word was said that no reference has, bool `[N, W]`."""
        return self.said & ~self.heard

    @property
    def missed(self) -> np.ndarray:
        """Where half of the references have a word that was not said."""
        return self.common & ~self.said

    def content_hits(self) -> tuple[np.ndarray, np.ndarray]:
        """Of each caption, how many of its content words a reference has, too.

        Content words are all but English stop words (scikit-learn's), single letters
        and what apostrophes split off. Each counts once.

        Returns:
            `(hits, words)`, int64 `[N]` each: how many a reference has, and how many
            there are.
        """
        content = np.array([_is_content_word(word) for word in self.words], bool)
        said, heard = self.said[:, content], self.heard[:, content]
        return (said & heard).sum(axis=1), said.sum(axis=1)

    def table(self) -> list[dict[str, str | int | float]]:
        """A row a word that was said, or that half of the references of an image have.

        Returns:
            Dictionaries with `word`; `predicted`, how many captions have it; `true`,
            of how many images half of the references do; `precision`, the share of
            these captions of which a reference has it; `recall`, the share of these
            images whose caption has it; and `f1`, the harmonic mean of the two.
        """
        predicted, true = self.said.sum(0), self.common.sum(0)
        precision = (self.said & self.heard).sum(0) / np.maximum(predicted, 1)
        recall = (self.said & self.common).sum(0) / np.maximum(true, 1)
        f1 = 2 * precision * recall / np.maximum(precision + recall, 1e-12)
        return [
            {
                "word": word,
                "predicted": int(predicted[i]),
                "true": int(true[i]),
                "precision": float(precision[i]),
                "recall": float(recall[i]),
                "f1": float(f1[i]),
            }
            for i, word in enumerate(self.words)
            if predicted[i] or true[i]
        ]


def said_words(
    captions: Sequence[str],
    references: Sequence[Sequence[str]],
) -> SaidWords:
    """Compares captions with their references, word by word.

    Args:
        captions: N captions.
        references: The references of each, at least one.
    """
    said = [set(tokenize(caption)) for caption in captions]
    heard = [
        collections.Counter(word for text in group for word in set(tokenize(text)))
        for group in references
    ]
    words = sorted(set(itertools.chain(*said, *heard)))
    column = {word: i for i, word in enumerate(words)}
    shape = (len(captions), len(words))
    arrays = [np.zeros(shape, bool) for _ in range(3)]
    for row, (own, counts, group) in enumerate(
        zip(said, heard, references, strict=True)
    ):
        often = [word for word, count in counts.items() if 2 * count >= len(group)]
        for array, some in zip(arrays, (own, set(counts), set(often)), strict=True):
            array[row, [column[word] for word in some]] = True
    return SaidWords(words, *arrays)


def _is_content_word(word):
    return len(word) > 1 and "'" not in word and word not in ENGLISH_STOP_WORDS
