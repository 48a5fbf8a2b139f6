"""Words that learn from single images: corrections are added, and undone exactly."""

import dataclasses
import itertools

import numpy as np
import pytest

from annotator.tagger.lift.cooccurrence import TEMPERATURE
from annotator.tagger.lift.label_lift import LabelLift
from annotator.tagger.taught_words import TaughtWords
from annotator.tagger.teaching_basis import PRIOR_IMAGES, TeachingBasis
from annotator.tagger.whitened_means import Whitening, fit_whitened_means
from annotator.tagger.word_means import NEVER, WordMeans

RNG = np.random.default_rng(0)
CENTERS = RNG.normal(size=(16, 12)) * 3
TOPICS = np.arange(16).repeat(12)
VECTORS = (CENTERS[TOPICS] + RNG.normal(size=(192, 12))).astype(np.float32)
TAGS = TOPICS[:, None] == np.arange(4)  # the other topics have no word
WORDS = ["sea", "cat", "sky", "dog"]
OWN = CENTERS[:5].repeat(6, axis=0) + RNG.normal(size=(30, 12))  # a person's, by topic


@pytest.fixture(scope="module")
def basis():
    return TeachingBasis.fit(WORDS, VECTORS, TAGS)


@pytest.fixture(scope="module")
def own(basis):
    return basis.whiten(OWN)


def fitted(words):
    kernel, bias = words.linear()
    return kernel.tobytes() + bias.tobytes()


def means_of(vectors, tags):
    means = WordMeans(WORDS, vectors.shape[1])
    means.add(vectors, tags)
    return means


def test_without_corrections_the_scores_are_those_of_the_tagger(basis):
    kernel, bias = TaughtWords(basis, base_images=None).linear()
    whitening = Whitening.fit(VECTORS)
    expected = fit_whitened_means(means_of(VECTORS, TAGS), whitening, VECTORS, TAGS)
    z = (OWN - basis.mean) @ basis.projection.T
    np.testing.assert_allclose(
        z @ kernel + bias, OWN @ expected[0] + expected[1], rtol=1e-3, atol=1e-3
    )


def test_corrections_equal_a_fit_of_all_images_at_once(basis, own):
    """With the metric and the average over words as they were."""
    words = TaughtWords(basis, base_images=None)
    carries = np.repeat(np.arange(5), 6)[:, None] == np.arange(4)
    for place, word in enumerate(WORDS):
        for row in np.flatnonzero(carries[:, place]):
            words.add(word, own[row : row + 1])
    kernel, bias = words.linear()
    # Back from what is kept of an image to a vector that whitens to it.
    back = np.linalg.solve(basis.projection.astype(float), own.T.astype(float)).T
    vectors = np.concatenate([VECTORS, back + basis.mean])
    tags = np.concatenate([TAGS, carries])
    expected_kernel, expected_bias = fit_whitened_means(
        means_of(vectors, tags), Whitening.fit(VECTORS), vectors, tags
    )
    z = own.astype(float)
    scores = vectors[192:] @ expected_kernel + expected_bias
    # One average, shrunk to, is taken over all words anew in the fit.
    counts = tags.sum(axis=0)
    shift = (scores - (z @ kernel + bias)).mean(axis=0)
    np.testing.assert_allclose(z @ kernel + bias + shift, scores, rtol=2e-3, atol=2e-3)
    averages = -shift * (counts + PRIOR_IMAGES) / (PRIOR_IMAGES * basis.margin)
    np.testing.assert_allclose(averages, averages[0], rtol=0.05, atol=0.02)


def test_order_does_not_matter_to_the_bit(basis, own):
    corrections = [("sea", 0), ("sea", 1), ("dog", 20), ("new", 25), ("new", 26)]
    results = set()
    for order in itertools.islice(itertools.permutations(corrections), 0, 120, 7):
        words = TaughtWords(basis)
        words.add_word("new")
        for word, row in order:
            words.add(word, own[row : row + 1], accepted=row != 1)
        results.add(fitted(words))
    assert len(results) == 1


def test_what_is_taken_back_leaves_no_trace(basis, own):
    words = TaughtWords(basis)
    words.add("cat", own[3:5])
    before = fitted(words)
    for accepted in (True, False):
        words.add("cat", own[6:29], accepted)
        assert fitted(words) != before
    for row in RNG.permutation(np.arange(6, 29)):
        words.remove("cat", own[row : row + 1], accepted=True)
        words.remove("cat", own[row : row + 1], accepted=False)
    assert fitted(words) == before
    assert words.taught("cat") == (2, 0)
    with pytest.raises(ValueError, match="More images of 'cat' are removed"):
        words.remove("cat", own[:3])


def test_a_new_word_works_from_its_first_image_and_does_not_take_over(basis, own):
    words = TaughtWords(basis)
    place = words.add_word("boat")
    assert words.linear([place])[1] == NEVER
    words.add("boat", own[24:25])  # the topic without a word
    kernel, bias = words.linear()
    scores = own @ kernel + bias
    same, others = scores[25:, place], scores[:24, place]
    assert same.min() > others.max()
    # Images of the tagger's words keep their word.
    best = scores[:24].argmax(axis=1)
    assert np.mean(best == np.repeat(np.arange(4), 6)) > 0.9
    assert scores[24, place] == scores[24].max()


def test_a_rejected_image_and_its_like_lose_the_word(basis, own):
    words = TaughtWords(basis)
    before = own @ words.linear()[0] + words.linear()[1]
    words.add("sea", own[24:25], accepted=False)
    after = own @ words.linear()[0] + words.linear()[1]
    change = (after - before)[:, 0]
    assert change[24] < 0 and change[24:].mean() < change[:6].mean()
    np.testing.assert_array_equal(before[:, 1:], after[:, 1:])
    # A word that was only ever rejected is said of no image.
    place = words.add_word("tree")
    words.add("tree", own[:1], accepted=False)
    assert words.linear([place])[1] == NEVER


def test_many_images_of_the_tagger_do_not_drown_a_persons(basis, own):
    """Its images count as 20 at most; here each word has 12."""
    few = TaughtWords(basis, base_images=2)
    all_ = TaughtWords(basis, base_images=None)
    moved = []
    for words in (few, all_):
        before = words.linear([0])[0]
        words.add("sea", own[24:26])
        moved.append(np.linalg.norm(words.linear([0])[0] - before))
    assert moved[0] > 1.5 * moved[1]


def test_fewer_dimensions_keep_most_of_what_tells_words_apart(basis, own):
    small = TeachingBasis.fit(WORDS, VECTORS, TAGS, dimensions=6)
    assert small.dimensions == 6 and small.whiten(OWN).shape == (30, 6)
    kernel, bias = TaughtWords(small).linear()
    best = (small.whiten(OWN)[:24] @ kernel + bias).argmax(axis=1)
    assert np.mean(best == np.repeat(np.arange(4), 6)) > 0.8


def test_few_images_of_long_vectors_have_the_metric_of_their_covariance():
    rng = np.random.default_rng(1)
    vectors = (rng.normal(size=(30, 40)) * np.arange(1, 41) + 5).astype(np.float32)
    mean = vectors.mean(axis=0, dtype=np.float64)
    covariance = np.cov((vectors - mean).T, bias=True)
    values, directions = np.linalg.eigh(covariance)
    shrunk = values + 0.01 * np.trace(covariance)
    tags = rng.random((30, 1)) < 0.5
    for kept in (10, 40):  # 29 dimensions are spanned, of the others any will do
        basis = TeachingBasis.fit(["a"], vectors, tags, shrinkage=0.01, dimensions=kept)
        metric = basis.projection.T @ basis.projection
        taken = directions[:, -kept:]
        expected = taken / shrunk[-kept:] @ taken.T
        np.testing.assert_allclose(metric, expected, rtol=1e-4, atol=1e-7)


def test_the_basis_is_saved_whole(basis, own, tmp_path):
    basis.save(tmp_path / "teaching.npz")
    loaded = TeachingBasis.load(tmp_path / "teaching.npz")
    assert loaded.words == WORDS and loaded.margin == basis.margin
    assert fitted(TaughtWords(loaded)) == fitted(TaughtWords(basis))
    np.testing.assert_array_equal(loaded.whiten(OWN), own)


def test_vectors_that_would_not_add_up_exactly_are_refused(basis, own):
    with pytest.raises(ValueError, match="float16 .* got float32"):
        TaughtWords(basis).add("sea", own.astype(np.float32))
    with pytest.raises(KeyError, match="boat"):
        TaughtWords(basis).add("boat", own)


def test_the_basis_of_some_words_knows_no_others(basis):
    few = TeachingBasis.fit(WORDS[1:3], VECTORS, TAGS[:, 1:3])
    selected = basis.select([1, 2])
    assert selected.words == WORDS[1:3]
    assert selected.average == pytest.approx(few.average, rel=1e-4)
    assert selected.averages == pytest.approx(few.averages, rel=1e-4)
    np.testing.assert_allclose(
        TaughtWords(selected).linear()[1], TaughtWords(few).linear()[1], rtol=1e-4
    )


def test_words_of_several_data_sets_are_compared_within_their_own():
    """As the tagger does: each word among the images that were asked for it."""
    known = np.ones_like(TAGS)
    known[96:, :2] = False  # the first half alone was asked for the first two
    known[:24, 2:] = False
    basis = TeachingBasis.fit(WORDS, VECTORS, TAGS, known=known)
    assert basis.centers.shape == (2, 12)
    kernel, bias = TaughtWords(basis, base_images=None).linear()
    expected = fit_whitened_means(
        means_of(VECTORS, TAGS), Whitening.fit(VECTORS), VECTORS, TAGS, known=known
    )
    z = (OWN - basis.mean) @ basis.projection.T
    np.testing.assert_allclose(
        z @ kernel + bias, OWN @ expected[0] + expected[1], rtol=1e-3, atol=1e-3
    )
    words = TaughtWords(basis)
    before = fitted(words)
    words.add("sea", basis.whiten(OWN[:6]))
    words.remove("sea", basis.whiten(OWN[:6][::-1]))
    assert fitted(words) == before


def test_a_basis_in_compact_form_comes_back_but_for_the_rounding(basis):
    copy = TeachingBasis.from_compact(basis.words, basis.compact())
    for name in ("mean", "projection", "counts", "squares", "margin", "averages"):
        np.testing.assert_allclose(getattr(copy, name), getattr(basis, name), rtol=1e-6)
    for name in ("sums", "similarity_sums"):
        np.testing.assert_allclose(
            getattr(copy, name), getattr(basis, name), rtol=1e-3, atol=1e-2
        )


def test_what_words_lend_each_other_is_that_of_the_tagger(basis, own):
    lifts = np.float32(RNG.normal(size=(4, 4)))
    lifted = dataclasses.replace(basis, lifts=lifts, sharpness=3.0)
    words = TaughtWords(lifted)
    kernel, bias = words.linear()
    scores = own @ kernel + bias
    expected = LabelLift.from_fit(lifts, 1 / (3 * TEMPERATURE), 1.0)
    expected.set_weights([lifts, np.float32(3.0)])
    np.testing.assert_allclose(
        words.lifts(own) + scores, expected(scores), rtol=1e-4, atol=1e-4
    )
    # What is taught moves no other word.
    before = words.lifts(own)
    words.add("sea", own[:3])
    np.testing.assert_array_equal(words.lifts(own), before)
    assert not TaughtWords(basis).lifts(own).any()
    some = lifted.select([2, 0])
    np.testing.assert_array_equal(some.lifts, lifts[[2, 0]][:, [2, 0]])
    copy = TeachingBasis.from_compact(lifted.words, lifted.compact())
    assert copy.sharpness == 3.0 and copy.lifts.shape == (4, 4)
