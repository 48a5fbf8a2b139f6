"""JEC by hand; 2PKNN against a plain loop over images and words."""

import keras
import numpy as np
import pytest
import tensorflow as tf

from annotator.tagger.exemplars.nearest_neighbors import JEC, TwoPassKNN

RNG = np.random.default_rng(0)


def ranking(scores):
    return np.argsort(-np.asarray(scores), kind="stable").tolist()


def test_jec_by_hand():
    # Distances from the query at 0 are 1, 2, 3, 4; the image at 4 is no neighbor.
    vectors = np.float32([[1], [2], [3], [4], [5]])
    #                a  b  c  d  e
    tags = np.array([[1, 1, 0, 0, 0],
                     [0, 0, 1, 1, 0],
                     [1, 0, 0, 1, 0],
                     [0, 1, 0, 0, 1],
                     [0, 1, 0, 0, 1]], bool)  # fmt: skip
    scores = JEC.fit(vectors, tags, neighbors=3)(np.zeros((1, 1), np.float32))[0]
    # First the nearest image's words by training frequency (b 3, a 2); then d, in two
    # of the other neighbors and seen with a, before c; e is in no neighbor.
    assert ranking(scores) == [1, 0, 3, 2, 4]
    assert scores[4] == 0


def two_pass_knn(query, vectors, tags, neighbors, bandwidth):
    distances = np.linalg.norm(vectors - query, axis=1)
    union = set()
    for word in range(tags.shape[1]):
        rows = np.flatnonzero(tags[:, word])
        union |= set(rows[np.argsort(distances[rows])][:neighbors])
    union = sorted(union)
    votes = np.exp(-bandwidth * ((distances[union] / distances.min()) ** 2 - 1))
    return votes @ tags[union]


@pytest.mark.parametrize("neighbors", [1, 3, 100])
def test_two_pass_knn_equals_a_loop(neighbors):
    vectors = RNG.normal(size=(60, 5)).astype(np.float32)
    tags = RNG.random((60, 7)) < 0.15
    tags[:, 0] = np.arange(60) == 17  # a word of one image
    tags[~tags.any(axis=1), 1] = True
    queries = RNG.normal(size=(4, 5)).astype(np.float32)
    layer = TwoPassKNN.fit(vectors, tags, neighbors=neighbors, bandwidth=4.0)
    expected = [two_pass_knn(q, vectors, tags, neighbors, 4.0) for q in queries]
    np.testing.assert_allclose(layer(queries), expected, rtol=1e-3)
    np.testing.assert_allclose(
        tf.function(layer, autograph=False)(queries), expected, rtol=1e-3
    )


@pytest.mark.parametrize("tagger", [JEC, TwoPassKNN])
def test_untagged_images_pass_nothing_on(tagger):
    vectors = RNG.normal(size=(20, 3)).astype(np.float32)
    tags = RNG.random((20, 4)) < 0.5
    tags[5] = False
    tags[0] = True
    tagged = tags.any(axis=1)
    queries = RNG.normal(size=(3, 3)).astype(np.float32)
    np.testing.assert_array_equal(
        tagger.fit(vectors, tags, neighbors=2)(queries),
        tagger.fit(vectors[tagged], tags[tagged], neighbors=2)(queries),
    )
    with pytest.raises(ValueError, match="No training image"):
        tagger.fit(vectors, np.zeros_like(tags))


@pytest.mark.parametrize("tagger", [JEC, TwoPassKNN])
def test_round_trip(tagger, tmp_path):
    vectors = RNG.normal(size=(20, 3)).astype(np.float32)
    tags = RNG.random((20, 4)) < 0.5
    model = keras.Sequential(
        [keras.Input((3,)), tagger.fit(vectors, tags, neighbors=3)]
    )
    model.save(tmp_path / "m.keras")
    copy = keras.saving.load_model(tmp_path / "m.keras")
    np.testing.assert_array_equal(copy(vectors), model(vectors))


@pytest.mark.parametrize("tagger", [JEC, TwoPassKNN])
def test_files_of_version_0_1_load(tagger):
    config = tagger(20, 4, neighbors=3).get_config()
    config["neighbours"] = config.pop("neighbors")
    assert tagger.from_config(config).neighbors == 3
