"""Tags for a data set that has captions alone: the content words of its captions."""

import collections
import dataclasses
import re
from collections.abc import Iterable, Mapping

import nltk
import numpy as np
from sklearn.feature_extraction.text import ENGLISH_STOP_WORDS

from annotator.datasets.annotated_images import AnnotatedImages

# Letters, and hyphens between them.
_WORD = re.compile(r"[^\W\d_]+(?:-[^\W\d_]+)*")
_STEMMER = nltk.PorterStemmer()
# What scikit-learn's list lacks: verbs that lend others their form ("takes a walk"),
# words of place, time and amount, and those that speak of the photograph itself.
_LIGHT_WORDS = frozenset(
    """
    appears attempts begins came comes did does doing gave gets gives goes going gone
    got keeps lets made makes prepares puts ready seems shows starts takes took tries
    trying used uses went
    ahead apart away close far left like long lot nearby near past right way whilst
    background image photo photograph picture
    bunch number pair piece set
    """.split()
)
_LIGHT_STEMS = frozenset(map(_STEMMER.stem, _LIGHT_WORDS))


def tag_by_captions(
    annotated: AnnotatedImages,
    learned: AnnotatedImages,
    least: int,
    known_words: Iterable[str] = (),
) -> AnnotatedImages:
    """Gives images the content words of their captions as tags.

    Words of one stem (Porter's) are one tag, `jumps` and `jumping` as well as `dog` and
    `dogs`; English stop words (scikit-learn's, and a few that name nothing to be seen,
    such as `takes` and `near`) and single letters are none. An image carries a tag if
    one of its captions has one of the words.

    Args:
        annotated: Images with captions.
        learned: The training images of the same data set: they decide the words.
        least: Training images that a tag must be on.
        known_words: How a tag is written if one of these has its stem; otherwise as the
            captions write it most often.

    Returns:
        `annotated` with tags. Their order: from the most to the least frequent.

    Raises:
        ValueError: If there are no captions, or no word is that frequent.
    """
    names = _tag_names(learned, least, known_words)
    columns = {stem: column for column, stem in enumerate(names)}
    tags = np.zeros((len(annotated), len(names)), bool)
    for row, captions in enumerate(annotated.captions or ()):
        stems = {stem for stem, _ in _content_words(captions)}
        tags[row, [columns[stem] for stem in stems & columns.keys()]] = True
    return dataclasses.replace(annotated, words=tuple(names.values()), tags=tags)


def _tag_names(
    learned: AnnotatedImages, least: int, known_words: Iterable[str]
) -> Mapping[str, str]:
    """Stem -> tag, the most frequent first."""
    where = f"{learned.name} {learned.split}"
    if learned.captions is None:
        raise ValueError(f"{where} has no captions that --caption_tags could read.")
    images: collections.Counter[str] = collections.Counter()
    forms: dict[str, collections.Counter[str]] = {}
    for captions in learned.captions:
        found = set(_content_words(captions))
        images.update({stem for stem, _ in found})
        for stem, word in found:
            forms.setdefault(stem, collections.Counter())[word] += 1
    # Ties in alphabetical order: the same data give the same columns.
    frequent = sorted(
        (stem for stem, count in images.items() if count >= least),
        key=lambda stem: (-images[stem], stem),
    )
    if not frequent:
        raise ValueError(
            f"No word of the captions is on {least} images of {where}: give a lower "
            "--caption_tags."
        )
    # Of two known words with one stem the first one counts.
    known = {_STEMMER.stem(word): word for word in reversed(list(known_words))}
    return {
        stem: known.get(stem) or min(forms[stem], key=lambda w: (-forms[stem][w], w))
        for stem in frequent
    }


def _content_words(captions: Iterable[str]) -> Iterable[tuple[str, str]]:
    """`(stem, word)` of the content words of some captions."""
    words = {word for text in captions for word in _WORD.findall(text.lower())}
    for word in words:
        stem = _STEMMER.stem(word)
        light = word in ENGLISH_STOP_WORDS or stem in _LIGHT_STEMS
        if len(word) > 1 and not light:
            yield stem, word
