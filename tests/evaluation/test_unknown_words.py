"""Words that a model never learned: counted, named, the most frequent first."""

import numpy as np
import pytest

from annotator.captioner import Vocabulary
from annotator.evaluation.unknown_words import (
    caption_words_note,
    tags_note,
    unknown_caption_words,
    unknown_tags,
)


def test_words_of_references_are_counted_as_the_vocabulary_reads_them():
    vocabulary = Vocabulary(["a", "dog", "its"])
    counted = unknown_caption_words(
        vocabulary, [["A dog's, it's!", "a cat"], [], ["Cat <unk> cat - dog"]]
    )
    assert list(counted["unknown_words"].items()) == [
        *(("cat", 3), ("dogs", 1), ("unk", 1))
    ]
    assert counted["reference_words"] == 9
    assert counted["unknown_word_share"] == pytest.approx(5 / 9)


def test_a_captioner_that_knows_all_words():
    counted = unknown_caption_words(Vocabulary(["a", "dog"]), [["a dog"]])
    assert counted["unknown_words"] == {} and counted["unknown_word_share"] == 0
    assert caption_words_note(counted).endswith("the captioner's vocabulary")


def test_words_that_no_image_carries_are_not_missed():
    tags = np.array([[1, 0, 0, 1], [1, 0, 1, 0], [1, 0, 1, 0]], bool)
    counted = unknown_tags(tags, ("sea", "sun", "sky", "cow"), ["sea"])
    assert list(counted.items()) == [("sky", 2), ("cow", 1)]


def test_of_many_words_some_are_shown():
    unknown = {f"w{i}": 20 - i for i in range(13)}
    note = tags_note({"unknown_tags": unknown, "split_words": 15, "n_plus": 2})
    assert "13 of the 15 words" in note and "w9 (11) and 3 others" in note
    assert note.endswith("2 of 15")
