"""From scores to words: order, number, threshold."""

import keras
import numpy as np
import pytest
import tensorflow as tf

from annotator.tagger.top_tags import TopTags
from annotator.tagger.word_scores import NEVER

SCORES = np.float32([[0.1, 0.9, 0.5], [3.0, -1.0, 2.0]])
WORDS = ["sky", "sea", "jet"]


def test_best_first():
    result = TopTags(WORDS, 2)(SCORES)
    assert result["tags"].numpy().tolist() == [[b"sea", b"jet"], [b"sky", b"jet"]]
    np.testing.assert_array_equal(result["scores"], np.float32([[0.9, 0.5], [3, 2]]))


def test_probabilities_rank_where_that_is_asked_for():
    probabilities = np.float32([[0.8, 0.1, 0.3], [0.2, 0.9, 0.1]])
    layer = TopTags(WORDS, 2, rank_by="probability")
    result = layer(SCORES, probabilities)
    assert result["tags"].numpy().tolist() == [[b"sky", b"jet"], [b"sea", b"sky"]]
    np.testing.assert_array_equal(result["scores"], np.float32([[0.1, 0.5], [-1, 3]]))
    np.testing.assert_allclose(result["probabilities"], [[0.8, 0.3], [0.9, 0.2]])
    expected = [[True, False, True], [True, True, False]]
    np.testing.assert_array_equal(layer.predicted(SCORES, probabilities), expected)
    # Of what no image taught there is none, however probable it would be.
    unlearned = layer(np.float32([[NEVER, 0.5, NEVER]]), np.float32([[1.0, 0.1, 1.0]]))
    assert unlearned["tags"].numpy().tolist() == [[b"sea", b""]]
    # Without probabilities the scores are all there is.
    assert layer(SCORES)["tags"].numpy().tolist() == [
        [b"sea", b"jet"],
        [b"sky", b"jet"],
    ]
    assert TopTags.from_config(layer.get_config()).rank_by == "probability"
    with pytest.raises(ValueError, match="one of .*got 'luck'"):
        TopTags(WORDS, rank_by="luck")


def test_threshold_empties_places():
    result = TopTags(WORDS, 0, threshold=0.5)(SCORES)
    assert result["tags"].numpy().tolist() == [
        [b"sea", b"jet", b""],
        [b"sky", b"jet", b""],
    ]


def test_a_word_never_learned_is_no_tag():
    scores = np.float32([[-2e9, NEVER, -3e9]])
    layer = TopTags(WORDS, 0)
    assert layer(scores)["tags"].numpy().tolist() == [[b"sky", b"jet", b""]]
    assert layer.predicted(scores).numpy().tolist() == [[True, False, True]]


@pytest.mark.parametrize(
    "top_k, threshold", [(2, None), (0, 0.5), (5, None), (1, 0.95)]
)
def test_predicted_says_the_same_as_the_tags(top_k, threshold):
    layer = TopTags(WORDS, top_k, threshold)
    tags = layer(SCORES)["tags"].numpy()
    for row, kept in zip(tags, layer.predicted(SCORES).numpy(), strict=True):
        assert {WORDS[i] for i in np.flatnonzero(kept)} == {
            tag.decode() for tag in row if tag
        }


def test_predicted_of_a_whole_split_fits_in_memory():
    """With all W words of N images in order there must be nothing of N * W * W."""
    images, words = 50, 40
    layer = TopTags([f"word {i}" for i in range(words)], 0, threshold=0.5)
    spec = tf.TensorSpec([images, words])
    graph = (
        tf.function(layer.predicted, autograph=False).get_concrete_function(spec).graph
    )
    sizes = [
        x.shape.num_elements() for op in graph.get_operations() for x in op.outputs
    ]
    assert images * words <= max(sizes) <= 2 * images * words


def test_strings_pass_through_predict_and_a_file(tmp_path):
    scores = keras.Input((3,))
    model = keras.Model(scores, TopTags(WORDS, 2)(scores))
    model.save(tmp_path / "m.keras")
    copy = keras.saving.load_model(tmp_path / "m.keras")
    result = copy.predict(np.repeat(SCORES, 40, axis=0), verbose=0)
    assert result["tags"].shape == (80, 2)
    assert result["tags"][0].tolist() == [b"sea", b"jet"]


def test_negative_number_of_tags():
    with pytest.raises(ValueError, match="-1"):
        TopTags(WORDS, -1)
