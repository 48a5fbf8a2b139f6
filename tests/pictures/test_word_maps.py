"""Where a captioner looked, a map a word."""

import numpy as np

from annotator.pictures.word_maps import word_maps


def test_maps_are_means_of_layers_and_at_most_one():
    attention = np.zeros((3, 2, 4))
    attention[0] = [[0.4, 0, 0, 0], [0, 0.2, 0, 0]]
    (first, second) = word_maps(attention, 2)
    np.testing.assert_allclose(first, [[1, 0.5], [0, 0]])
    assert not second.any()
    assert word_maps(np.zeros((3, 2, 5)), 2) is None
    assert word_maps(np.zeros((3, 0, 4)), 2) is None
