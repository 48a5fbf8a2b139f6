"""L2 and cosine to the mean vectors."""

import keras
import numpy as np
import pytest

from annotator.tagger.word_means import WordMeans
from annotator.tagger.word_scores import NEVER, WordScores

RNG = np.random.default_rng(0)


def means(absent=()):
    result = WordMeans("abcd", 3)
    tags = np.eye(4, dtype=bool)
    tags[:, list(absent)] = False
    result.add(RNG.normal(size=(4, 3)), tags)
    return result


@pytest.mark.parametrize("similarity", ["l2", "cosine"])
def test_equals_the_definition(similarity):
    words = means()
    vectors = RNG.normal(size=(5, 3)).astype(np.float32)
    scores = WordScores.from_means(words, similarity)(vectors)
    for i, x in enumerate(vectors):
        for w, mu in enumerate(words.means):
            expected = -np.linalg.norm(x - mu)
            if similarity == "cosine":
                expected = x @ mu / np.linalg.norm(x) / np.linalg.norm(mu)
            assert scores[i, w].numpy() == pytest.approx(expected, abs=1e-5)


def test_l2_to_the_mean_itself_is_zero_not_nan():
    words = means()
    scores = WordScores.from_means(words)(words.means.astype(np.float32))
    np.testing.assert_allclose(np.diag(scores), 0, atol=1e-3)


def test_zero_vector_has_cosine_zero():
    scores = WordScores.from_means(means(), "cosine")(np.zeros((1, 3), np.float32))
    np.testing.assert_array_equal(scores, np.zeros((1, 4)))


@pytest.mark.parametrize("similarity", ["l2", "cosine"])
def test_word_without_images_comes_last(similarity):
    layer = WordScores.from_means(means(absent=[1]), similarity)
    scores = layer(1000 * RNG.normal(size=(3, 3)).astype(np.float32)).numpy()
    assert (scores.argmin(axis=1) == 1).all() and (scores[:, 1] <= 0.99 * NEVER).all()


def test_round_trip(tmp_path):
    layer = WordScores.from_means(means(absent=[2]), "cosine")
    model = keras.Sequential([keras.Input((3,)), layer])
    model.save(tmp_path / "m.keras")
    vectors = RNG.normal(size=(5, 3)).astype(np.float32)
    copy = keras.saving.load_model(tmp_path / "m.keras")
    np.testing.assert_array_equal(copy(vectors), model(vectors))


def test_unknown_similarity():
    with pytest.raises(ValueError, match="dot"):
        WordScores(3, "dot")
