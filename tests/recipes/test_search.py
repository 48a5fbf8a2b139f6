"""The closed form of means that an image is left out of, against leaving it out."""

import numpy as np

from recipes.search import left_out_scores, top_words


def test_equals_means_that_are_fitted_without_the_image():
    rng = np.random.default_rng(0)
    vectors, tags = rng.normal(size=(12, 4)), rng.random((12, 3)) < 0.5
    tags[:, 2] = np.arange(12) == 5  # a word of one image
    scores = left_out_scores(vectors, tags)
    for i in range(12):
        others = np.arange(12) != i
        for w in range(3):
            carriers = vectors[others & tags[:, w]]
            if len(carriers):
                distance = np.square(vectors[i] - carriers.mean(axis=0)).sum()
                np.testing.assert_allclose(scores[i, w], -distance)
            else:
                assert scores[i, w] == -np.inf


def test_top_words():
    scores = np.array([[3.0, 1.0, 2.0], [-np.inf, 0.0, 5.0]])
    want = [[True, False, True], [False, True, True]]
    np.testing.assert_array_equal(top_words(scores, 2), want)
