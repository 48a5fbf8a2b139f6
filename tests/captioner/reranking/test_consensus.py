import collections
import math

import numpy as np
import pytest

from annotator.captioner import Vocabulary
from annotator.captioner.reranking.consensus import Consensus
from annotator.captioner.reranking.ngrams import ngram_codes

REFERENCES = [
    ["a dog runs on grass", "a dog runs"],
    ["a red cat sits", "a cat sits on a red mat", "the cat"],
    ["a dog sits on a dog", "dogs"],
    ["the man runs", "a man runs on grass"],
]


def encoded(references, vocabulary):
    tokens = np.zeros((len(references), max(map(len, references)), 12), np.int32)
    for row, captions in enumerate(references):
        tokens[row, : len(captions)] = vocabulary.encode(captions, 12)
    return tokens


def ngrams(words):
    return [
        tuple(words[i : i + n]) for n in range(1, 5) for i in range(len(words) - n + 1)
    ]


def recomputed(references, vocabulary):
    """Dict from n-gram to the mean weight, an image: plain dictionaries."""
    ids = [[vocabulary.encode([c], 12)[0] for c in group] for group in references]
    words = [[[int(t) for t in row if t > 2] for row in group] for group in ids]
    frequency = collections.Counter(
        gram for group in words for gram in {g for c in group for g in ngrams(c)}
    )
    vectors = []
    for group in words:
        mean = collections.Counter()
        for caption in group:
            vector = {
                gram: count * math.log(len(words) / frequency[gram])
                for gram, count in collections.Counter(ngrams(caption)).items()
            }
            for gram, value in vector.items():
                norm = math.hypot(
                    *(v for g, v in vector.items() if len(g) == len(gram))
                )
                mean[gram] += value / norm / 4 / len(group) if norm else 0
        vectors.append(mean)
    return vectors, frequency


def test_two_images_by_hand():
    """Of `b c` against `b d` only c, d and the pairs tell the images apart."""
    vocabulary = Vocabulary(["b", "c", "d"])
    tokens = encoded([["b c"], ["b d", "d"]], vocabulary)
    found = Consensus.of(tokens, len(vocabulary), min_images=1)
    b, c, d = 4, 5, 6
    base = len(vocabulary)
    codes = [b, c, d, b * base + c, b * base + d]
    np.testing.assert_array_equal(found.codes[:-1], codes)
    log2 = math.log(2)
    np.testing.assert_allclose(found.weights, [0, log2, log2, log2, log2, log2], 1e-6)
    want = [[0, 0.25, 0, 0.25, 0], [0, 0, 0.25, 0, 0.125]]
    np.testing.assert_allclose(found.targets.toarray(), want, 1e-6)


@pytest.mark.parametrize("min_images", [1, 2])
def test_it_is_what_dictionaries_say(min_images):
    vocabulary = Vocabulary.fit((c for g in REFERENCES for c in g), min_count=2)
    found = Consensus.of(encoded(REFERENCES, vocabulary), len(vocabulary), min_images)
    vectors, frequency = recomputed(REFERENCES, vocabulary)
    kept = [
        gram
        for gram, images in frequency.items()
        if images >= min_images and 3 not in gram  # nobody writes <unk>
    ]
    assert len(found.codes) == len(kept) + 1
    targets = found.targets.toarray()
    for gram in kept:
        code = int(ngram_codes(np.int32(gram), len(vocabulary))[0, len(gram) - 1])
        place = int(np.searchsorted(found.codes, code))
        assert found.codes[place] == code
        want = math.log(len(REFERENCES) / frequency[gram])
        np.testing.assert_allclose(found.weights[place], want, rtol=1e-6)
        column = [vector[gram] for vector in vectors]
        np.testing.assert_allclose(targets[:, place], column, rtol=1e-5, atol=1e-7)


def test_captions_that_are_padding_do_not_exist():
    vocabulary = Vocabulary.fit(c for g in REFERENCES for c in g)
    tokens = encoded(REFERENCES, vocabulary)
    want = Consensus.of(tokens, len(vocabulary), 1)
    padded = np.pad(tokens, [(0, 0), (0, 2), (0, 5)])
    found = Consensus.of(padded, len(vocabulary), 1)
    np.testing.assert_array_equal(found.codes, want.codes)
    np.testing.assert_allclose(found.targets.toarray(), want.targets.toarray())


def test_rare_ngrams_are_kept_where_there_are_no_others():
    vocabulary = Vocabulary(["b", "c"])
    tokens = encoded([["b"], ["c"]], vocabulary)
    assert len(Consensus.of(tokens, len(vocabulary), min_images=5).codes) == 3


def test_references_without_a_known_word_are_refused():
    vocabulary = Vocabulary(["b"])
    tokens = encoded([["what"], ["is this"]], vocabulary)
    with pytest.raises(ValueError, match="No reference has a word"):
        Consensus.of(tokens, len(vocabulary))
