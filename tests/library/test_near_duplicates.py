"""Groups of near duplicates."""

import numpy as np

from annotator.library.near_duplicates import near_duplicates

RNG = np.random.default_rng(0)


def test_groups_of_rows_that_point_the_same_way():
    vectors = RNG.normal(size=(3000, 40)).astype(np.float32)
    vectors[2500] = 3 * vectors[7] + 0.1 * RNG.normal(size=40)
    vectors[3] = vectors[2999]
    vectors[100] = vectors[3] + 0.05 * RNG.normal(size=40)
    groups = near_duplicates(vectors.astype(np.float16), 0.9)
    assert [group.tolist() for group in groups] == [[3, 100, 2999], [7, 2500]]
    assert len(near_duplicates(vectors, 0.99999)) <= 1


def test_chains_are_one_group():
    angles = np.deg2rad([0, 20, 40, 180])
    vectors = np.stack([np.cos(angles), np.sin(angles)], axis=1)
    (group,) = near_duplicates(vectors, 0.9)
    assert group.tolist() == [0, 1, 2]


def test_nothing_is_near_nothing():
    assert near_duplicates(np.zeros((0, 4))) == []
    assert near_duplicates(np.eye(4)) == []
    assert near_duplicates(np.zeros((3, 4))) == []
