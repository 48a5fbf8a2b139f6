"""Second-order pooling against SciPy's root, and its gradient against differences."""

import keras
import numpy as np
import pytest
import scipy.linalg
import tensorflow as tf

from annotator.tagger.pooling.encoder import vector_pooling
from annotator.tagger.pooling.second_order import CovarianceRoot, matrix_square_root

RNG = np.random.default_rng(0)


def covariance_vector(descriptors, size):
    """The definition, in double precision, by SciPy's Schur method."""
    taken = np.float64(descriptors)[:, :size]
    covariance = np.cov(taken.T, bias=True) + 1e-12 * np.eye(size)
    root = scipy.linalg.sqrtm(covariance).real
    upper = [
        root[i, j] * (1 if i == j else np.sqrt(2))
        for i in range(size)
        for j in range(i, size)
    ]
    return np.array(upper) / np.linalg.norm(upper)


def test_by_hand():
    # Along the axes, with variances 4 and 1.
    descriptors = np.float32([[[2, 1, 9], [2, -1, 8], [-2, 1, 7], [-2, -1, 1]]])
    expected = np.array([[2, 0, 1]]) / 5**0.5
    np.testing.assert_allclose(CovarianceRoot(2)(descriptors), expected, atol=1e-6)


@pytest.mark.parametrize("regions", [30, 4])  # 4: the covariance has no full rank
def test_equals_scipy(regions):
    descriptors = RNG.normal(size=(3, regions, 7)).astype(np.float32) + 2
    layer = CovarianceRoot(6)
    expected = [covariance_vector(image, 6) for image in descriptors]
    for call in (layer, tf.function(layer, autograph=False)):
        np.testing.assert_allclose(call(descriptors), expected, atol=1e-5)
    # The product of two vectors is that of the two roots, each of length 1.
    vectors = layer(descriptors).numpy()
    np.testing.assert_allclose(np.sum(vectors**2, axis=1), 1, rtol=1e-5)


def test_equal_descriptors_give_zeros_and_a_batch_equals_its_rows():
    descriptors = np.ones((2, 5, 4), np.float32)
    descriptors[1] = RNG.normal(size=(5, 4))
    vectors = CovarianceRoot(96)(descriptors).numpy()
    assert vectors.shape == (2, 10)
    np.testing.assert_array_equal(vectors[0], 0)
    np.testing.assert_allclose(CovarianceRoot(96)(descriptors[1:])[0], vectors[1])


@pytest.mark.parametrize(
    "values", [(3.0, 1.0, 0.5), (2.0, 2.0, 2.0), (2.0, 2.0, 0.1)], ids=str
)
def test_gradient_equals_differences_where_eigenvalues_are_equal_too(values):
    turn = np.linalg.qr(RNG.normal(size=(3, 3)))[0]
    matrix = turn @ np.diag(values) @ turn.T
    upstream = RNG.normal(size=(3, 3))
    with tf.GradientTape() as tape:
        variable = tf.constant(matrix)
        tape.watch(variable)
        loss = tf.reduce_sum(matrix_square_root(variable) * upstream)
    found = tape.gradient(loss, variable).numpy()
    assert np.all(np.isfinite(found))
    for i, j in np.ndindex(3, 3):
        step = np.zeros((3, 3))
        step[i, j] = step[j, i] = 1e-5
        higher, lower = (
            np.sum(scipy.linalg.sqrtm(matrix + sign * step).real * upstream)
            for sign in (1, -1)
        )
        expected = (higher - lower) / 2e-5
        np.testing.assert_allclose(np.sum(found * step) / 1e-5, expected, atol=1e-6)


def test_gradient_is_finite_where_the_root_has_none():
    with tf.GradientTape() as tape:
        variable = tf.constant(np.diag([4.0, 0.0, 0.0]))
        tape.watch(variable)
        loss = tf.reduce_sum(matrix_square_root(variable) ** 2)
    # The loss is the trace: its gradient is 1 where there is something.
    gradient = tape.gradient(loss, variable).numpy()
    assert np.isfinite(gradient).all() and gradient[0, 0] == pytest.approx(1)


def test_joined_with_vlad_and_saved(tmp_path):
    codebook = RNG.normal(size=(3, 5)).astype(np.float32)
    descriptors = RNG.normal(size=(2, 9, 5)).astype(np.float32)
    pooling = vector_pooling(("power", "l2"), 4, 5, codebook)
    model = keras.Sequential([keras.Input((None, 5)), pooling])
    assert model.output_shape == (None, 15 + 10)
    vlad = vector_pooling(("power", "l2"), 0, 5, codebook)
    parts = [vlad(descriptors), CovarianceRoot(4)(descriptors)]
    np.testing.assert_allclose(model(descriptors), np.concatenate(parts, 1), atol=1e-6)
    model.save(tmp_path / "m.keras")
    copy = keras.saving.load_model(tmp_path / "m.keras")
    np.testing.assert_array_equal(copy(descriptors), model(descriptors))


def test_mean_pooling_by_hand():
    descriptors = np.float32([[[4, -3], [14, 1]], [[0, 0], [0, 0]]])
    pooling = vector_pooling(("mean",), 0, 2, None)
    roots = np.array([[3, -1], [0, 0]]) / 10**0.5
    np.testing.assert_allclose(pooling(descriptors), roots, atol=1e-6)


def test_refuses_no_dimensions():
    with pytest.raises(ValueError, match="1 or more, got 0"):
        CovarianceRoot(0)
