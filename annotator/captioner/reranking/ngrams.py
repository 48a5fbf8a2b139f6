"""The n-grams of captions as integers: one each, exactly, in the graph and outside."""

import numpy as np
import tensorflow as tf

from annotator.captioner.vocabulary import END, UNKNOWN

ORDERS = 4
# The largest base whose numbers of four digits fit into 63 bits.
_LARGEST_BASE = 55_108
# Larger than any code: where a search for a code ends that is not there.
NO_CODE = np.iinfo(np.int64).max


def code_base(vocabulary_size: int) -> int:
    """The base of the codes of a vocabulary's n-grams.

    Args:
        vocabulary_size: V. Of larger vocabularies than 55,108 words the rarest are
            taken for `<unk>`.
    """
    return min(vocabulary_size, _LARGEST_BASE)


def ngram_codes(tokens: tf.Tensor | np.ndarray, base: int) -> tf.Tensor:
    """The codes of all n-grams of words, n = 1 to 4.

    A code is a number whose digits are the words' ids. As no word has the id 0, no two
    n-grams share a code, whatever their lengths.

    Args:
        tokens: Integers `[..., T]`; `<start>`, `<end>` and padding are no words.
        base: As of `code_base`.

    Returns:
        int64 `[..., T, 4]`, of the n-grams that begin at a token; 0 where none does.
    """
    tokens = tf.cast(tokens, tf.int64)
    words = tf.where(tokens > END, tokens, 0)
    words = tf.where(words < base, words, UNKNOWN)
    codes = [words]
    for n in range(1, ORDERS):
        here, later = codes[-1], _shifted(words, n)
        codes.append(tf.where((here > 0) & (later > 0), here * base + later, 0))
    return tf.stack(codes, axis=-1)


def has_unknown_word(codes: np.ndarray, base: int) -> np.ndarray:
    """Whether `<unk>` is a word of an n-gram, as no sampler writes it.

    Args:
        codes: int64 `[...]`.
        base: As of `code_base`.

    Returns:
        bool `[...]`.
    """
    digits = codes[..., None] // base ** np.arange(ORDERS, dtype=np.int64) % base
    return (digits == UNKNOWN).any(axis=-1)


def order_of(codes: np.ndarray, base: int) -> np.ndarray:
    """The number of words of n-grams, int `[...]`, of their codes `[...]`."""
    powers = base ** np.arange(1, ORDERS, dtype=np.int64)
    return 1 + np.searchsorted(powers, codes, side="right")


def find_codes(codes: tf.Tensor, known: tf.Tensor) -> tf.Tensor:
    """Places of codes among known ones.

    Args:
        codes: int64 `[...]`.
        known: int64 `[G + 1]`, ascending; the last is `NO_CODE`.

    Returns:
        int32 `[...]`; G where a code is not known.
    """
    flat = tf.reshape(codes, [-1])
    places = tf.searchsorted(known, flat)
    unknown = tf.shape(known)[0] - 1
    places = tf.where(tf.gather(known, places) == flat, places, unknown)
    return tf.reshape(places, tf.shape(codes))


def _shifted(words, by):
    """The words `by` places further on, 0 beyond the last."""
    by = tf.minimum(by, tf.shape(words)[-1])
    padding = tf.zeros_like(words[..., :by])
    return tf.concat([words[..., by:], padding], axis=-1)
