"""Sums of vectors per word: batches, workers and later additions add up."""

import numpy as np
import pytest

from annotator.tagger.word_means import WordMeans

RNG = np.random.default_rng(0)
VECTORS = RNG.normal(size=(50, 4)).astype(np.float32)
TAGS = RNG.random((50, 3)) < 0.3
TAGS[0] = False  # an image without any word


def fitted(vectors=VECTORS, tags=TAGS, words="abc"):
    means = WordMeans(words, vectors.shape[1])
    means.add(vectors, tags)
    return means


def test_mean_of_the_images_that_carry_the_word():
    means = fitted()
    for word in range(3):
        np.testing.assert_allclose(
            means.means[word], VECTORS[TAGS[:, word]].mean(0), rtol=1e-5
        )
    assert means.counts.tolist() == TAGS.sum(axis=0).tolist()


def test_batches_in_any_order_and_merged_workers_equal_one_pass():
    first, second = WordMeans("abc", 4), WordMeans("abc", 4)
    order = RNG.permutation(50)
    first.add(VECTORS[order[:20]], TAGS[order[:20]])
    second.add(VECTORS[order[20:]], TAGS[order[20:]])
    first.merge(second)
    np.testing.assert_allclose(first.means, fitted().means, rtol=1e-12)
    np.testing.assert_array_equal(first.counts, fitted().counts)


def test_new_words_come_later():
    means = fitted()
    before = means.means
    means.add_words(["b", "d"])
    assert means.words == ["a", "b", "c", "d"]
    np.testing.assert_array_equal(means.means[3], np.zeros(4))
    means.add(VECTORS[:1] * 2, np.array([[False, False, False, True]]))
    np.testing.assert_allclose(means.means[3], VECTORS[0] * 2)
    np.testing.assert_array_equal(means.means[:3], before)


def test_merge_of_other_words():
    means = fitted()
    means.merge(fitted(tags=TAGS[:, :2], words="db"))
    assert means.words == ["a", "b", "c", "d"]
    both = np.concatenate([VECTORS[TAGS[:, 1]]] * 2)
    np.testing.assert_allclose(means.means[1], both.mean(0), rtol=1e-6)
    np.testing.assert_allclose(means.means[3], VECTORS[TAGS[:, 0]].mean(0), rtol=1e-5)


def test_word_without_images_has_a_zero_mean():
    means = fitted(tags=np.zeros_like(TAGS))
    np.testing.assert_array_equal(means.means, np.zeros((3, 4)))


def test_shapes_that_do_not_fit():
    with pytest.raises(ValueError, match=r"\(50, 3\).*\(50, 2\)"):
        WordMeans("abc", 4).add(VECTORS, TAGS[:, :2])


def test_what_is_removed_leaves_no_trace_of_half_precision():
    half = VECTORS.astype(np.float16)
    means = fitted(half[:10], TAGS[:10])
    sums = means.sums.tobytes()
    means.add(half[10:], TAGS[10:])
    for row in RNG.permutation(np.arange(10, 50)):
        means.remove(half[row : row + 1], TAGS[row : row + 1])
    assert means.sums.tobytes() == sums
    np.testing.assert_array_equal(means.counts, TAGS[:10].sum(axis=0))


def test_more_cannot_be_removed_than_was_added():
    means = fitted(TAGS[:1], TAGS[:1])
    with pytest.raises(ValueError, match="'a' are removed"):
        means.remove(np.zeros((1, 3)), np.array([[True, False, False]]))
