"""MBRM by hand and against plain loops; the grid's means against slices."""

import keras
import numpy as np
import pytest
import scipy.stats
import tensorflow as tf

from annotator.tagger.exemplars.mbrm import MBRM, GridMeans

RNG = np.random.default_rng(0)


def test_grid_means_of_a_map_that_divides():
    maps = RNG.normal(size=(2, 4, 4, 3)).astype(np.float32)
    cells = GridMeans(2)(maps.reshape(2, 16, 3)).numpy().reshape(2, 2, 2, 3)
    for i in range(2):
        for j in range(2):
            cell = maps[:, 2 * i : 2 * i + 2, 2 * j : 2 * j + 2]
            np.testing.assert_allclose(cells[:, i, j], cell.mean((1, 2)), atol=1e-6)


def test_cells_share_what_does_not_divide():
    rows = np.arange(5, dtype=np.float32)[:, None].repeat(5, 1)
    cells = GridMeans(3)(rows.reshape(1, 25, 1)).numpy().reshape(3, 3)
    # Rows 0 and 1; 1, 2 and 3; 3 and 4.
    np.testing.assert_allclose(cells, [[0.5] * 3, [2] * 3, [3.5] * 3])


@pytest.mark.parametrize(("regions", "grid"), [(12, 2), (4, 3)])
def test_maps_that_the_grid_does_not_fit(regions, grid):
    with pytest.raises(ValueError, match=f"got {regions} descriptors"):
        GridMeans(grid)(np.zeros((1, regions, 2), np.float32))


def test_by_hand():
    """The query lies on one of two images that are far from each other."""
    vectors = np.float32([[0, 1], [1000, 1001]])
    tags = np.array([[True, False, True], [False, False, True]])
    scores = MBRM.fit(vectors, tags, regions=2, bandwidth=1e-4, smoothing=6.0)(
        vectors[:1]
    )
    # (6 [the image carries the word] + number of carriers) / (6 + 2)
    np.testing.assert_allclose(scores, [[7 / 8, 0, 8 / 8]], atol=1e-6)


def relevance(query, vectors, tags, regions, bandwidth, smoothing):
    """The model as it is written, in double precision."""
    cells = vectors.reshape(len(vectors), regions, -1).astype(np.float64)
    size = cells.shape[-1]
    variance = cells.reshape(-1, size).var(axis=0).sum()
    covariance = bandwidth * variance * np.eye(size)
    likelihoods = []
    for image in cells:
        product = 1.0
        for region in query.reshape(regions, -1):
            densities = [
                scipy.stats.multivariate_normal.pdf(region, cell, covariance)
                for cell in image
            ]
            product *= np.mean(densities)
        likelihoods.append(product)
    posterior = np.array(likelihoods) / np.sum(likelihoods)
    expected = []
    for word in tags.T:
        bernoulli = (smoothing * word + word.sum()) / (smoothing + len(tags))
        expected.append(np.sum(posterior * bernoulli))
    return expected


@pytest.mark.parametrize("bandwidth", [0.02, 0.3])
def test_equals_loops_over_images_and_regions(bandwidth):
    vectors = RNG.normal(size=(30, 12)).astype(np.float32)
    tags = RNG.random((30, 5)) < 0.3
    tags[~tags.any(axis=1), 1] = True
    queries = RNG.normal(size=(4, 12)).astype(np.float32)
    layer = MBRM.fit(vectors, tags, regions=4, bandwidth=bandwidth, smoothing=20.0)
    expected = [relevance(q, vectors, tags, 4, bandwidth, 20.0) for q in queries]
    np.testing.assert_allclose(layer(queries), expected, rtol=1e-3)
    np.testing.assert_allclose(
        tf.function(layer, autograph=False)(queries), expected, rtol=1e-3
    )
    np.testing.assert_allclose(layer(queries)[2:3], layer(queries[2:3]), rtol=1e-6)


def test_untagged_images_pass_nothing_on():
    vectors = RNG.normal(size=(20, 4)).astype(np.float32)
    tags = RNG.random((20, 3)) < 0.5
    tags[0], tags[5] = True, False
    tagged = tags.any(axis=1)
    np.testing.assert_array_equal(
        MBRM.fit(vectors, tags, regions=2)(vectors),
        MBRM.fit(vectors[tagged], tags[tagged], regions=2)(vectors),
    )


def test_an_image_like_no_other_and_images_all_alike():
    """Kernels that all underflow, and a variance of 0, still give probabilities."""
    vectors = RNG.normal(size=(10, 4)).astype(np.float32)
    tags = RNG.random((10, 3)) < 0.5
    tags[0] = True
    far = MBRM.fit(vectors, tags, regions=2)(np.full((1, 4), 1e4, np.float32)).numpy()
    alike = MBRM.fit(np.ones_like(vectors), tags, regions=2)(vectors).numpy()
    for scores in (far, alike):
        assert np.isfinite(scores).all() and (scores >= 0).all() and (scores <= 1).all()


def test_regions_of_unequal_size_are_refused():
    with pytest.raises(ValueError, match="10 numbers are not 4 regions"):
        MBRM.fit(np.zeros((3, 10), np.float32), np.ones((3, 1), bool), regions=4)


def test_round_trip(tmp_path):
    descriptors = RNG.normal(size=(6, 16, 3)).astype(np.float32)
    grid = GridMeans(2)
    layer = MBRM.fit(grid(descriptors).numpy(), RNG.random((6, 4)) < 0.9, regions=4)
    model = keras.Sequential([keras.Input((16, 3)), grid, layer])
    model.save(tmp_path / "m.keras")
    copy = keras.saving.load_model(tmp_path / "m.keras")
    np.testing.assert_array_equal(copy(descriptors), model(descriptors))
