"""Words of another data set that a model never learned: counted and named."""

import collections
from collections.abc import Iterable, Sequence

import numpy as np

from annotator.captioner import Vocabulary
from annotator.captioner.tokenization import tokenize

_SHOWN = 10


def unknown_caption_words(
    vocabulary: Vocabulary, references: Iterable[Sequence[str]]
) -> dict:
    """What a captioner could not have said of the references of some images.

    Args:
        vocabulary: The captioner's.
        references: The captions of each image.

    Returns:
        A dictionary, JSON-ready: `reference_words`, how many there are, all counted;
        `unknown_word_share`, the share of them that the vocabulary lacks; and
        `unknown_words`, from each of these to its count, the most frequent first.
    """
    counts = collections.Counter(
        word for texts in references for text in texts for word in tokenize(text)
    )
    known = set(vocabulary.words)
    unknown = {word: n for word, n in counts.most_common() if word not in known}
    total = counts.total()
    return {
        "reference_words": total,
        "unknown_word_share": sum(unknown.values()) / total if total else 0.0,
        "unknown_words": unknown,
    }


def unknown_tags(
    tags: np.ndarray, words: Sequence[str], known: Iterable[str]
) -> dict[str, int]:
    """Tags of a split that a tagger was never told of.

    Args:
        tags: bool `[N, W]`, where an image carries a word.
        words: The W words.
        known: The tagger's words.

    Returns:
        From each that an image carries to how many do, the most frequent first.
    """
    known = set(known)
    counts = dict(zip(words, np.count_nonzero(tags, axis=0).tolist(), strict=True))
    unknown = {word: n for word, n in counts.items() if n and word not in known}
    return dict(collections.Counter(unknown).most_common())


def caption_words_note(metrics: dict) -> str:
    """Lines below a table of captions.

    Args:
        metrics: What `unknown_caption_words` returns.
    """
    return (
        f"\n{100 * metrics['unknown_word_share']:.1f} % of the "
        f"{metrics['reference_words']} words of the references are not in the "
        f"captioner's vocabulary{_named(metrics['unknown_words'])}"
    )


def tags_note(metrics: dict) -> str:
    """Lines below a table of tags.

    Args:
        metrics: Scores, with `unknown_tags` and `split_words`.
    """
    unknown, words = metrics["unknown_tags"], metrics["split_words"]
    return (
        f"\n{len(unknown)} of the {words} words of the split are unknown to the tagger"
        f"{_named(unknown)}\nit cannot be scored on these, and the table leaves them "
        f"out; N+ over all words of the split: {metrics['n_plus']} of {words}"
    )


def _named(unknown):
    if not unknown:
        return ""
    shown = [f"{word} ({count})" for word, count in list(unknown.items())[:_SHOWN]]
    more = f" and {len(unknown) - _SHOWN} others" if len(unknown) > _SHOWN else ""
    return f": {', '.join(shown)}{more}"
