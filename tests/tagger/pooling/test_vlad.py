"""VLAD by hand, by an independent NumPy loop, and its defined corner cases."""

import keras
import numpy as np
import pytest
import tensorflow as tf

from annotator.tagger.pooling.vlad import VLAD, BagOfWords, fit_codebook

RNG = np.random.default_rng(0)


def layer(codebook, normalization=()):
    vlad = VLAD(len(codebook), normalization)
    vlad.build((None, None, codebook.shape[1]))
    vlad.codebook.assign(codebook)
    return vlad


def numpy_vlad(descriptors, codebook, normalization):
    """The definition, one descriptor at a time, in double precision."""
    vectors = []
    for image in descriptors.astype(np.float64):
        sums = np.zeros(codebook.shape)
        for f in image:
            nearest = np.argmin([np.linalg.norm(f - c) for c in codebook])
            sums[nearest] += f - codebook[nearest]
        if "intra" in normalization:
            for row in sums:
                row /= np.linalg.norm(row) or 1.0
        vector = sums.ravel()
        if "power" in normalization:
            vector = np.sign(vector) * np.sqrt(np.abs(vector))
        if "l2" in normalization:
            vector = vector / (np.linalg.norm(vector) or 1.0)
        vectors.append(vector)
    return np.array(vectors)


def test_by_hand():
    codebook = np.float32([[0, 0], [10, 0]])
    descriptors = np.float32([[[1, 2], [9, 1], [12, -3], [-1, 1]]])
    expected = [[1 - 1, 2 + 1, -1 + 2, 1 - 3]]
    np.testing.assert_allclose(layer(codebook)(descriptors), expected)
    roots = np.array([0, 3**0.5, 1, -(2**0.5)])
    np.testing.assert_allclose(
        layer(codebook, ["l2", "power"])(descriptors)[0], roots / 6**0.5, rtol=1e-5
    )


@pytest.mark.parametrize(
    "normalization", [(), ("l2",), ("power", "l2"), ("intra", "l2"), ("intra", "power")]
)
def test_equals_numpy(normalization):
    descriptors = RNG.normal(size=(5, 40, 6)).astype(np.float32)
    codebook = RNG.normal(size=(7, 6)).astype(np.float32)
    expected = numpy_vlad(descriptors, codebook, normalization)
    for call in (
        layer(codebook, normalization),
        tf.function(layer(codebook, normalization), autograph=False),
    ):
        np.testing.assert_allclose(call(descriptors), expected, atol=1e-5)


def test_empty_cluster_and_zero_descriptors_give_zeros():
    codebook = np.float32([[0, 0], [100, 100]])
    vector = layer(codebook, ("intra", "l2"))(np.zeros((1, 5, 2), np.float32))
    np.testing.assert_array_equal(vector, np.zeros((1, 4)))


def test_order_of_regions_changes_nothing_and_a_batch_equals_its_rows():
    codebook = RNG.normal(size=(4, 3)).astype(np.float32)
    vlad = layer(codebook, ("power", "l2"))
    descriptors = RNG.normal(size=(6, 30, 3)).astype(np.float32)
    batch = vlad(descriptors).numpy()
    shuffled = vlad(descriptors[:, RNG.permutation(30)])
    np.testing.assert_allclose(shuffled, batch, atol=1e-6)
    rows = np.concatenate([vlad(row[None]) for row in descriptors])
    np.testing.assert_allclose(rows, batch, atol=1e-6)


def test_half_precision_policy_changes_nothing():
    codebook = RNG.normal(size=(4, 3)).astype(np.float32)
    descriptors = RNG.normal(size=(2, 30, 3)).astype(np.float32)
    expected = layer(codebook)(descriptors)
    keras.config.set_dtype_policy("mixed_bfloat16")
    try:
        np.testing.assert_array_equal(layer(codebook)(descriptors), expected)
    finally:
        keras.config.set_dtype_policy("float32")


def test_round_trip(tmp_path):
    vlad = layer(RNG.normal(size=(4, 3)).astype(np.float32), ("intra", "l2"))
    model = keras.Sequential([keras.Input((None, 3)), vlad])
    model.save(tmp_path / "m.keras")
    descriptors = RNG.normal(size=(2, 9, 3)).astype(np.float32)
    copy = keras.saving.load_model(tmp_path / "m.keras")
    np.testing.assert_array_equal(copy(descriptors), model(descriptors))


def test_codebook_finds_separate_clusters():
    centers = np.float32([[0, 0], [50, 0], [0, 50]])
    points = np.concatenate([c + RNG.normal(0, 0.1, (200, 2)) for c in centers])
    codebook = fit_codebook(points.astype(np.float32), 3, seed=1)
    for center in centers:
        assert np.linalg.norm(codebook - center, axis=1).min() < 0.1
    np.testing.assert_array_equal(
        codebook, fit_codebook(points.astype(np.float32), 3, seed=1)
    )


def test_errors_name_the_value():
    with pytest.raises(ValueError, match="L3"):
        VLAD(4, ["L3"])
    with pytest.raises(ValueError, match="5 words.*got 4"):
        fit_codebook(np.zeros((4, 2), np.float32), 5)


def test_a_bag_of_words_counts_nearest_visual_words():
    codebook = np.float32([[0, 0], [10, 0], [0, 10]])
    descriptors = np.float32([[[1, 1], [9, 1], [0, 2], [8, 0]], [[0, 9]] * 4])
    counts = BagOfWords.from_codebook(codebook, ())(descriptors)
    np.testing.assert_array_equal(counts, [[2, 2, 0], [0, 0, 4]])
    unit = BagOfWords.from_codebook(codebook, ("power", "l2"))(descriptors)
    np.testing.assert_allclose(unit, [[0.5**0.5, 0.5**0.5, 0], [0, 0, 1]], rtol=1e-6)
    with pytest.raises(ValueError, match="'intra' would make ones"):
        BagOfWords(3, ("intra",))
