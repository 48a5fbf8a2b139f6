import itertools

import numpy as np
import pytest

from annotator.captioner.reranking.ngrams import (
    NO_CODE,
    code_base,
    find_codes,
    has_unknown_word,
    ngram_codes,
    order_of,
)
from annotator.captioner.vocabulary import END, PAD, START


def test_codes_are_numbers_whose_digits_are_words():
    codes = ngram_codes(np.int32([START, 5, 7, END, PAD, PAD]), 10).numpy()
    want = np.zeros((6, 4), int)
    want[1] = [5, 57, 0, 0]
    want[2] = [7, 0, 0, 0]
    np.testing.assert_array_equal(codes, want)


def test_no_two_ngrams_share_a_code():
    """All n-grams of three words, and the largest numbers that there are."""
    base = code_base(10**6)
    words = [3, 4, base - 1]
    found = {}
    for n in range(1, 5):
        for words_of in itertools.product(words, repeat=n):
            tokens = np.int32([START, *words_of, END])
            code = int(ngram_codes(tokens, base)[1, n - 1])
            assert found.setdefault(code, words_of) == words_of
            assert order_of(np.int64([code]), base) == n
            assert has_unknown_word(np.int64([code]), base) == (3 in words_of)
    assert len(found) == 3 + 9 + 27 + 81
    assert 0 < min(found) and max(found) < NO_CODE


def test_words_beyond_the_base_are_unknown_ones():
    base = code_base(10**6)
    rare, unknown = (
        ngram_codes(np.int32([START, 4, word, 5, END]), base) for word in (base + 7, 3)
    )
    np.testing.assert_array_equal(rare, unknown)


@pytest.mark.parametrize("length", [1, 2, 3])
def test_captions_may_be_shorter_than_ngrams(length):
    codes = ngram_codes(np.full((2, length), 4, np.int32), 10).numpy()
    assert codes.shape == (2, length, 4)
    assert (codes > 0).sum() == 2 * sum(range(length + 1))


def test_codes_are_found_where_they_are_known():
    known = np.append(np.int64([4, 9, 31]), NO_CODE)
    codes = np.int64([[31, 4], [5, 40], [0, 9]])
    places = find_codes(codes, known)
    np.testing.assert_array_equal(places, [[2, 0], [3, 3], [3, 1]])
