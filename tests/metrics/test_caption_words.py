"""Words of captions beside those of their references, counted by hand."""

import pytest

from annotator.metrics.caption_words import said_words

CAPTIONS = ["a dog runs", "a cat", ""]
REFERENCES = [
    ["a dog runs", "a puppy", "the dog", "an animal runs"],
    ["a dog", "a dog sits"],
    ["the sea"],
]


@pytest.fixture(scope="module")
def words():
    return said_words(CAPTIONS, REFERENCES)


def named(words, array):
    return [
        [w for w, yes in zip(words.words, row, strict=True) if yes] for row in array
    ]


def test_what_was_said_what_was_heard_and_what_is_common(words):
    assert words.words == sorted(words.words)
    assert named(words, words.said) == [["a", "dog", "runs"], ["a", "cat"], []]
    assert named(words, words.common) == [
        ["a", "dog", "runs"],
        ["a", "dog", "sits"],
        ["sea", "the"],
    ]
    assert named(words, words.wrong) == [[], ["cat"], []]
    assert named(words, words.missed) == [[], ["dog", "sits"], ["sea", "the"]]


def test_content_words_that_a_reference_has_are_hits():
    captions = [*CAPTIONS, "dogs run , don't they , dogs"]
    hits, counts = said_words(
        captions, [*REFERENCES, ["the dogs don't"]]
    ).content_hits()
    assert hits.tolist() == [2, 0, 0, 1] and counts.tolist() == [2, 1, 0, 2]


def test_the_table_by_hand(words):
    rows = {row["word"]: row for row in words.table()}
    # "puppy" was not said, and half of no image's references have it.
    assert set(rows) == {"a", "cat", "dog", "runs", "sea", "sits", "the"}
    assert rows["dog"] == {
        "word": "dog",
        "predicted": 1,
        "true": 2,
        "precision": 1.0,
        "recall": 0.5,
        "f1": pytest.approx(2 / 3),
    }
    assert rows["cat"]["precision"] == 0 and rows["cat"]["true"] == 0
