"""Words of a text: the same in Python and in the graph."""

import string

import numpy as np
import tensorflow as tf

from annotator.captioner.tokenization import tokenize, tokenize_in_graph
from annotator.captioner.vocabulary import Vocabulary

TEXTS = [
    "A dog's bone!",
    "",
    " . ",
    "the dog’s “big” ball–toss…",
    "T-shirt, (brown) [x] {y} ^z \\ | ~ ` @#$%&*_=+<>/?;:",
    "ÄRGER über Straße, ΑΣ, ЁЛКА",
    "tab\tnew\nline\r\x0b\x0c\x1c\x1f\x85\xa0\u1680\u2003\u2028\u2029\u202f\u3000end",
    f"a{string.punctuation}b",
]


def test_the_graph_finds_the_words_that_python_finds():
    words = tokenize_in_graph(tf.constant(TEXTS)).to_list()
    assert [[w.decode() for w in row] for row in words] == list(map(tokenize, TEXTS))


def test_the_graph_encodes_as_python_does_wherever_it_runs():
    vocabulary = Vocabulary.fit(TEXTS[:5])
    want = vocabulary.encode(TEXTS, length=5)
    assert np.any(want == 3) and np.all(want.max(axis=1) >= 2)
    data = tf.data.Dataset.from_tensor_slices(TEXTS).batch(3)
    mapped = data.map(lambda texts: vocabulary.encode_in_graph(texts, 5))
    np.testing.assert_array_equal(np.concatenate(list(mapped)), want)
    nested = tf.function(
        lambda texts: vocabulary.encode_in_graph(texts, 5), autograph=False
    )
    found = nested(tf.reshape(tf.constant(TEXTS), [2, 4]))
    np.testing.assert_array_equal(found, want.reshape(2, 4, 5))
    assert found.dtype == tf.int32
