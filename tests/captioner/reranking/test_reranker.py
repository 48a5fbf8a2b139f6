import collections
import math

import keras
import numpy as np
import pytest
import tensorflow as tf

from annotator.captioner import (
    BeamSearch,
    Captioner,
    ConsensusReranker,
    StackedDecoder,
    Vocabulary,
    fit_reranker,
)
from annotator.captioner.reranking.image_vector import image_vectors
from annotator.captioner.reranking.ngrams import ngram_codes
from annotator.captioner.reranking.ridge import RIDGES

CAPTIONS = [
    ["a dog runs", "the dog runs on grass"],
    ["a red cat sits", "a cat sits on the dog"],
    ["the cat runs", "a cat"],
    ["a dog sits on a dog", "a dog sits"],
]
VOCABULARY = Vocabulary.fit(c for group in CAPTIONS for c in group)
R, D = 5, 6


def some_regions(images=4):
    rng = np.random.default_rng(5)
    return np.float32(rng.random([images, R, D]) * rng.integers(0, 3, [images, R, D]))


def fitted(**options):
    batches = [
        (some_regions()[:3], tf.ragged.constant(CAPTIONS[:3])),
        (some_regions()[3:], tf.ragged.constant(CAPTIONS[3:])),
    ]
    return fit_reranker(VOCABULARY, batches, 8, rank=2, min_images=1, **options)


def candidates():
    texts = ["a dog runs", "a dog a dog a dog", "the", "a red cat on the grass"]
    return np.stack([VOCABULARY.encode(texts, 9)] * 4)


def recomputed(reranker, regions, caption):
    """The consensus of a caption: loops, dictionaries and 64 bits."""
    roots = np.sqrt(regions.astype(float))
    halves = [roots.mean(axis=0), roots.std(axis=0)]
    vector = np.concatenate([half / np.linalg.norm(half) for half in halves])
    weights = reranker.arrays()
    hidden = (vector - weights["center"]) @ weights["inner"]
    expected = hidden @ weights["outer"] + weights["offset"]
    place_of = {int(code): i for i, code in enumerate(weights["codes"][:-1])}
    words = [int(token) for token in caption if token > 2]
    total = 0.0
    for n in range(1, 5):
        grams = [tuple(words[i : i + n]) for i in range(len(words) - n + 1)]
        product, square = 0.0, 0.0
        for gram, count in collections.Counter(grams).items():
            code = sum(w * len(VOCABULARY) ** i for i, w in enumerate(gram[::-1]))
            place = place_of.get(code)
            value = count * weights["ngram_weights"][-1 if place is None else place]
            square += value**2
            product += 0.0 if place is None else value * expected[place]
        total += product / math.sqrt(square) if square else 0.0
    return total


def test_scores_are_what_loops_say():
    reranker = fitted()
    got = tf.function(reranker, autograph=False)(some_regions(), candidates())
    for image, column in np.ndindex(4, 4):
        want = recomputed(reranker, some_regions()[image], candidates()[image, column])
        np.testing.assert_allclose(got[image, column], want, rtol=1e-3, atol=1e-5)


def test_it_predicts_the_ridge_regression_to_the_references():
    """Of full rank, with targets that are built anew, by its n-grams' weights."""
    batches = [(some_regions(), tf.ragged.constant(CAPTIONS))]
    reranker = fit_reranker(VOCABULARY, batches, 8, rank=9, min_images=1)
    vectors = np.asarray(image_vectors(some_regions()), np.float64)
    weights = reranker.arrays()
    targets = np.zeros((4, reranker.ngrams))
    for image, group in enumerate(CAPTIONS):
        for row in VOCABULARY.encode(group, 10):
            for codes in ngram_codes(row, len(VOCABULARY)).numpy().T:  # an order each
                places = np.searchsorted(weights["codes"], codes[codes > 0])
                vector = np.bincount(places, minlength=reranker.ngrams) * 1.0
                vector *= weights["ngram_weights"][:-1]
                norm = np.linalg.norm(vector)
                targets[image] += vector / (norm or 1) / 4 / len(group)
    x, y = vectors - vectors.mean(axis=0), targets - targets.mean(axis=0)
    predicted = [
        x @ np.linalg.solve(x.T @ x + ridge * np.square(x).sum() * np.eye(12), x.T @ y)
        for ridge in RIDGES
    ]
    got = reranker.expected(some_regions())[:, :-1] - targets.mean(axis=0)
    distances = [np.abs(got - want).max() for want in predicted]
    assert min(distances) < 1e-4 < sorted(distances)[1]


def test_a_batch_is_its_rows_and_padding_changes_nothing():
    reranker = fitted()
    want = reranker(some_regions(), candidates())
    rows = [
        reranker(some_regions()[i : i + 1], candidates()[i : i + 1])[0]
        for i in range(4)
    ]
    np.testing.assert_allclose(want, rows, rtol=1e-4, atol=1e-6)
    padded = np.pad(some_regions(), [(0, 0), (0, 2), (0, 0)], constant_values=9)
    mask = np.arange(R + 2) < R
    got = reranker(
        padded, np.pad(candidates(), [(0, 0), (0, 0), (0, 4)]), np.stack([mask] * 4)
    )
    np.testing.assert_allclose(got, want, rtol=1e-4, atol=1e-6)


def test_batches_are_read_as_one():
    whole = [(some_regions(), tf.ragged.constant(CAPTIONS))]
    want = fit_reranker(VOCABULARY, whole, 8, rank=2, min_images=1)
    got = fitted().expected(some_regions())
    np.testing.assert_allclose(got, want.expected(some_regions()), atol=1e-5)


def test_a_large_weight_keeps_the_order_of_the_search():
    scores = np.float32([[-1, -1.5, -2, -np.inf]] * 4)
    found = {"tokens": candidates(), "scores": scores}
    kept = fitted(beam_weight=1e4).order(some_regions(), found)
    np.testing.assert_array_equal(kept, [[0, 1, 2, 3]] * 4)
    moved = fitted(beam_weight=0.0)
    order = moved.order(some_regions(), found).numpy()
    assert (order[:, 3] == 3).all(), "what was not found comes last"
    consensus = moved(some_regions(), candidates()).numpy()
    np.testing.assert_array_equal(order[:, :3], np.argsort(-consensus[:, :3], axis=1))
    assert (order != kept.numpy()).any()


def test_there_must_be_captions():
    with pytest.raises(ValueError, match="no captions"):
        fit_reranker(VOCABULARY, [(some_regions(), tf.constant([""] * 4))])


def built_captioner():
    keras.utils.set_random_seed(1)
    decoder = StackedDecoder(
        len(VOCABULARY), layers=2, units=8, attention_units=4, jit_compile=False
    )
    sampler = BeamSearch(4, results=2, max_length=7)
    captioner = Captioner(VOCABULARY, decoder, sampler=sampler)
    captioner.build((None, None, D))
    captioner.standardize(np.full(D, 0.5), np.full(D, 0.7))
    return captioner


def test_a_captioner_writes_the_best_of_all_beams(tmp_path):
    plain = built_captioner()
    reranker = fitted(beam_weight=0.0)
    captioner = plain.with_reranker(reranker)
    every = plain.generate(some_regions(), BeamSearch(4, results=4, max_length=7))
    consensus = reranker(some_regions(), every["n_best_tokens"]).numpy()
    order = np.argsort(-consensus, axis=1, kind="stable")
    got = captioner.generate(some_regions())
    for name in ("n_best_tokens", "n_best_scores", "n_best_captions"):
        want = np.take_along_axis(
            every[name].numpy(), order.reshape(4, 4, *[1] * (every[name].ndim - 2)), 1
        )
        np.testing.assert_array_equal(got[name], want[:, :2])
    assert (order[:, 0] != 0).any()
    without = captioner.generate(some_regions(), rerank=False)
    np.testing.assert_array_equal(without["tokens"], every["tokens"])
    assert captioner.trainable_variables == plain.trainable_variables
    captioner.save(tmp_path / "captioner.keras")
    loaded = keras.saving.load_model(tmp_path / "captioner.keras")
    assert loaded.reranker.beam_weight == 0
    for name, array in reranker.arrays().items():
        np.testing.assert_array_equal(loaded.reranker.arrays()[name], array)
    again = loaded.generate(some_regions())
    np.testing.assert_array_equal(again["n_best_tokens"], got["n_best_tokens"])


def test_another_vocabulary_is_refused():
    reranker = ConsensusReranker(len(VOCABULARY) + 1, ngrams=3, rank=1)
    with pytest.raises(ValueError, match="Fit it for this captioner"):
        built_captioner().with_reranker(reranker)
