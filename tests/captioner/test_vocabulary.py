import json

import numpy as np
import pytest
import tensorflow as tf

from annotator.captioner.vocabulary import Vocabulary, tokenize

CAPTIONS = ["A dog runs .", "A dog's bone!", "the cat, the dog and a bird"]


def test_words_are_ordered_by_count_then_alphabet():
    vocabulary = Vocabulary.fit(CAPTIONS)
    assert vocabulary.words[:7] == (
        ("<pad>", "<start>", "<end>", "<unk>", "a") + ("dog", "the")
    )
    assert vocabulary.words[7:] == ("and", "bird", "bone", "cat", "dogs", "runs")


def test_typographic_marks_are_no_words():
    assert tokenize("the dog’s “big” ball–toss…") == "the dogs big ball toss".split()


def test_rare_words_become_unk():
    vocabulary = Vocabulary.fit(CAPTIONS, min_count=2)
    assert vocabulary.words[4:] == ("a", "dog", "the")
    np.testing.assert_array_equal(
        vocabulary.encode(["The dog sleeps", "a"]), [[1, 6, 5, 3, 2], [1, 4, 2, 0, 0]]
    )


def test_long_captions_are_cut_but_end():
    ids = Vocabulary.fit(CAPTIONS).encode(["a dog runs"], length=4)
    assert ids.tolist() == [[1, 4, 5, 2]] and ids.dtype == np.int32


@pytest.mark.parametrize("ids", [[1, 4, 5, 2, 0], [4, 5, 2, 6, 6], [4, 5, 0], [4, 5]])
def test_decode_stops_at_the_end_in_python_and_in_the_graph(ids):
    vocabulary = Vocabulary.fit(CAPTIONS)
    assert vocabulary.decode(ids) == "a dog"
    in_graph = tf.function(vocabulary.decode_in_graph, autograph=False)(
        tf.constant([ids, ids])
    )
    assert in_graph.numpy().tolist() == [b"a dog", b"a dog"]


def test_text_goes_through_unchanged():
    vocabulary = Vocabulary.fit(CAPTIONS)
    texts = [" ".join(tokenize(caption)) for caption in CAPTIONS]
    assert vocabulary.decode(vocabulary.encode(CAPTIONS)) == texts
    ids = tf.constant(vocabulary.encode(CAPTIONS))[:, None]
    in_graph = vocabulary.decode_in_graph(ids)
    assert [[text.decode()] for text in in_graph.numpy()[:, 0]] == [[t] for t in texts]


def test_save_and_load(tmp_path):
    vocabulary = Vocabulary.fit(CAPTIONS + ["ça va"])
    vocabulary.save(tmp_path / "words.json")
    loaded = Vocabulary.load(tmp_path / "words.json")
    assert loaded == vocabulary and loaded.fingerprint() == vocabulary.fingerprint()
    assert [file.name for file in tmp_path.iterdir()] == ["words.json"]


def test_another_vocabulary_is_refused():
    vocabulary, other = Vocabulary(["a", "dog"]), Vocabulary(["dog", "a"])
    assert vocabulary != other
    vocabulary.check(vocabulary.fingerprint(), "model")
    with pytest.raises(ValueError, match="model was trained with another vocabulary"):
        vocabulary.check(other.fingerprint(), "model")


def test_bad_words_and_files_are_named(tmp_path):
    with pytest.raises(ValueError, match="'Dog'"):
        Vocabulary(["Dog"])
    with pytest.raises(ValueError, match="'dog' is listed twice"):
        Vocabulary(["dog", "cat", "dog"])
    with pytest.raises(ValueError, match="min_count=9"):
        Vocabulary.fit(CAPTIONS, min_count=9)
    path = tmp_path / "other.json"
    path.write_text(json.dumps([1]))
    with pytest.raises(ValueError, match="other.json is not a saved vocabulary"):
        Vocabulary.load(path)
