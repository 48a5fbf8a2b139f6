"""Rules on words: the file, the order of the rules, and the scores that follow."""

import numpy as np
import pytest
import tensorflow as tf

from annotator.tagger.rules.chosen_words import ChosenWords
from annotator.tagger.rules.word_rules import WordRules, read_word_rules

WORDS = ("poodle", "dog", "automobile", "car", "person", "Sea")
FILE = """\
# what I want
[exclude]
person  # never
[rename]
automobile = car
Sea = the sea
[imply]
poodle = dog, pet
pet = animal
animal = pet
[translate]
dog = Hund
animal = Tier
"""


@pytest.fixture
def rules(tmp_path):
    def read(text):
        (tmp_path / "words.txt").write_text(text)
        return read_word_rules(tmp_path / "words.txt")

    return read


def test_all_rules_of_a_file(rules):
    assert rules(FILE).apply(WORDS) == {
        "poodle": [0],
        "Hund": [0, 1],
        "pet": [0],
        "Tier": [0],
        "car": [2, 3],
        "the sea": [5],
    }


def test_include_names_what_is_renamed_and_implies(rules):
    read = rules(
        "[include]\ncar\npoodle\n[rename]\nautomobile=car\n[imply]\npoodle=dog"
    )
    assert read.apply(WORDS) == {"poodle": [0], "dog": [0], "car": [2, 3]}


def test_an_excluded_word_is_not_implied(rules):
    read = rules("[exclude]\ndog\n[imply]\npoodle=dog\ndog=animal")
    given = read.apply(WORDS)
    assert "dog" not in given and given["animal"] == [0]


def test_words_of_a_path_are_translated_one_by_one():
    rules = WordRules(translate=(("animal", "Tier"), ("a|b", "c")))
    assert list(rules.apply(["animal|dog", "a|b"])) == ["Tier|dog", "c"]


def test_no_rules_change_nothing():
    assert WordRules().apply(WORDS) == {w: [i] for i, w in enumerate(WORDS)}


@pytest.mark.parametrize(
    ("text", "message"),
    [
        ("dog", "no section headers"),
        ("[renamed]\na = b", r"unknown section \[renamed\]; there are include"),
        ("[rename]\ndog", r"\[rename\] takes lines such as old = new; got 'dog'"),
        ("[rename]\ndog =", "old = new"),
        ("[exclude]\ndog = cat", r"\[exclude\] takes a word a line; got dog = cat"),
        ("[exclude]\ndog\ndog", "'dog' .*already exists"),
    ],
)
def test_malformed_files(rules, text, message):
    with pytest.raises(ValueError, match=r"--words=.*words\.txt: .*" + message):
        rules(text)


def test_a_missing_file(tmp_path):
    with pytest.raises(FileNotFoundError, match="none"):
        read_word_rules(tmp_path / "none")


def test_rules_that_leave_no_word():
    with pytest.raises(ValueError, match="none of the model's 6 words, such as poodle"):
        WordRules(include=("x",)).apply(WORDS)


def test_a_word_gets_the_highest_score_of_its_sources(rules):
    chosen = ChosenWords(rules(FILE).apply(WORDS))
    scores = np.array([[6, 5, 1, 2, 9, -1], [-5, -4, 3, -1, 9, 0]], np.float32)
    assert chosen.words == ["poodle", "Hund", "pet", "Tier", "car", "the sea"]
    np.testing.assert_array_equal(
        tf.function(chosen, autograph=False)(tf.constant(scores)),
        [[6, 6, 6, 6, 2, -1], [-5, -4, -5, -5, 3, 0]],
    )
