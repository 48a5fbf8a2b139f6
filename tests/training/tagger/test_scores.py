"""What the ways to tag compare vectors by."""

import keras
import numpy as np
import pytest

from annotator.config import Config
from annotator.tagger.whitened_means import Whitening
from annotator.training.tagger.scores import fit_scores

RNG = np.random.default_rng(0)
# The first number varies a thousand times as much as the second.
VECTORS = np.float32(RNG.normal(size=(40, 2)) * [30, 0.03])
VECTORS[:2] = [[0, 0.1], [30, 0]]
TAGS = np.zeros((40, 3), bool)
TAGS[0, 0] = TAGS[1, 1] = TAGS[2:, 2] = True
# 5 from image 0 and 25 from image 1; whitened, the second number decides.
QUERY = np.float32([[5, 0.0]])


def config(**settings):
    return Config(task="tagger", dataset="folder", neighbours=2, **settings)


def first(layer):
    return int(np.argmax(layer(QUERY)))


@pytest.mark.parametrize("tagger", ["jec", "2pknn"])
def test_whitened_neighbors_are_near_where_the_training_set_is_round(tagger):
    vectors, tags = VECTORS[:2], TAGS[:2]
    whitening_rows = np.concatenate([vectors, VECTORS[2:]])
    plain, _ = fit_scores(config(tagger=tagger, similarity="l2"), vectors, tags)
    assert first(plain) == 0
    # All vectors decide the metric, those of word 2 as well; it is left out here.
    layer, _ = fit_scores(
        config(tagger=tagger, similarity="whitened", shrinkage=1e-9),
        whitening_rows,
        TAGS & [True, True, False],
    )
    assert first(layer) == 1


def test_whitened_neighbors_are_near_by_angle():
    rng = np.random.default_rng(0)
    vectors = np.float32(rng.normal(size=(40, 3)) * [3, 1, 0.2])
    queries = np.float32(rng.normal(size=(20, 3)) * [3, 1, 0.2])
    layers, _ = fit_scores(
        config(tagger="jec", similarity="whitened", shrinkage=1e-3),
        vectors,
        np.eye(40, dtype=bool),  # a word an image
    )
    z, q = (Whitening.fit(vectors, 1e-3).apply(rows) for rows in (vectors, queries))
    angles = q @ z.T / np.linalg.norm(z, axis=1)
    nearest = np.argmax(layers(queries), axis=1)
    np.testing.assert_array_equal(nearest, np.argmax(angles, axis=1))
    by_l2 = np.argmin(np.square(q[:, None] - z).sum(axis=-1), axis=1)
    assert (nearest != by_l2).any()


def test_whitened_vectors_are_those_of_the_metric():
    layer = Whitening.fit(VECTORS, 1e-3).layer()
    want = Whitening.fit(VECTORS, 1e-3).apply(VECTORS)
    np.testing.assert_allclose(layer(VECTORS), want, rtol=1e-4, atol=1e-5)
    assert not layer.trainable


@pytest.mark.parametrize("similarity", ["l2", "cosine", "whitened"])
def test_one_region_is_the_whole_image(similarity, tmp_path):
    """MBRM without a grid: the nearest image's words, and a file as others have it."""
    settings = config(
        tagger="mbrm", grid=0, similarity=similarity, bandwidth=1e-5, smoothing=1e5
    )
    assert settings.pooling == "vlad"
    vectors = VECTORS + np.float32([0, 1])
    scores, _ = fit_scores(settings, vectors, TAGS)
    model = keras.Sequential([keras.Input((2,)), scores])
    if similarity == "l2":  # by angle, many of these images are alike
        assert (np.argmax(model(vectors), axis=1)[:2] == [0, 1]).all()
    model.save(tmp_path / "tagger.keras")
    loaded = keras.saving.load_model(tmp_path / "tagger.keras")
    np.testing.assert_array_equal(loaded(vectors), model(vectors))


def test_a_grid_pools_cells_and_a_bag_of_words_has_no_residuals():
    assert config(tagger="mbrm").pooling == "grid"
    assert config(tagger="jec").pooling == "vlad"
    assert config(tagger="mbrm", grid=0).different_encoding(config()) is None
    assert config(tagger="mbrm").different_encoding(config()) == "tagger"
    assert config(vlad=("bow",)).different_encoding(config()) == "vlad"
    with pytest.raises(ValueError, match="--vlad=bow,intra would leave ones"):
        config(vlad=("bow", "intra"))
