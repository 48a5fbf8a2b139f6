"""Words that are said instead of others, counted by hand."""

import numpy as np

from annotator.metrics.confusions import Confusion, confusions

WORDS = ["cat", "dog", "sky"]


def test_pairs_beyond_chance_by_hand():
    # Of eight images three have "cat" for "dog"; one of these, and all others, lack
    # "sky".
    wrong, missed = np.zeros((8, 3), bool), np.zeros((8, 3), bool)
    wrong[:3, 0] = True
    missed[:3, 1] = True
    missed[2:, 2] = True
    # 3 and 3 of 8 come together 9/8 times by chance.
    assert confusions(wrong, missed, WORDS) == [Confusion("cat", "dog", 3, 9 / 8)]


def test_what_comes_together_by_chance_alone_is_no_confusion():
    wrong, missed = np.zeros((4, 3), bool), np.zeros((4, 3), bool)
    wrong[:, 0] = True
    missed[:, 2] = True
    assert confusions(wrong, missed, WORDS) == []
    assert confusions(np.zeros((4, 3), bool), missed, WORDS) == []


def test_against_a_plain_loop():
    rng = np.random.default_rng(0)
    wrong, missed = (rng.random((50, 6)) < 0.3 for _ in range(2))
    words = list("abcdef")
    expected = {}
    for i, said in enumerate(words):
        for j, lacking in enumerate(words):
            both = sum(w[i] and m[j] for w, m in zip(wrong, missed, strict=True))
            chance = wrong[:, i].sum() * missed[:, j].sum() / 50
            if both > 1 and both > chance:
                expected[said, lacking] = (both, chance)
    found = confusions(wrong, missed, words, wanted=100)
    assert {(c.said, c.missed): (c.images, c.expected) for c in found} == expected
    surplus = [c.images - c.expected for c in found]
    assert surplus == sorted(surplus, reverse=True)
    assert confusions(wrong, missed, words, wanted=3) == found[:3]
