"""The best words of rows: after any changes they are those of a choice among all."""

import numpy as np
import pytest

from annotator.review.best_words import BestWords


def expected(scores, most, least):
    """The best words of each row, sets of places."""
    order = np.argsort(-scores, axis=1)[:, :most]
    return [
        {place for place in places.tolist() if scores[row, place] >= least}
        for row, places in enumerate(order)
    ]


def found(best):
    return [set(places[places >= 0].tolist()) for places in best.places]


@pytest.mark.parametrize("least", [-1e29, 0.5])
@pytest.mark.parametrize("words", [3, 4, 12])
def test_changes_one_by_one_equal_a_choice_among_all(words, least):
    rng = np.random.default_rng(words)
    scores = rng.normal(size=(200, words)).astype(np.float32)
    best = BestWords(4, least)
    best.grow(200)
    best.choose(np.arange(200), scores.copy())
    assert found(best) == expected(scores, 4, least)
    chosen = 0
    for _ in range(60):
        place = int(rng.integers(words))
        change = rng.normal(0, 0.5, 200) * (rng.random(200) < 0.7)
        scores[:, place] += change.astype(np.float32)
        again = best.change(place, scores[:, place])
        chosen += len(again)
        best.choose(again, scores[again])
        assert found(best) == expected(scores, 4, least)
    # What this is for: few rows are looked through.
    assert words < 5 or 0 < chosen < 60 * 200 / 4


def test_rows_that_are_added_have_no_words_until_they_are_chosen():
    best = BestWords(2, -1e29)
    best.grow(3)
    assert found(best) == [set(), set(), set()]
    scores = np.float32([[1, 2, 3]])
    best.choose(np.array([1]), scores)
    best.grow(5)
    assert found(best) == [set(), {1, 2}, set(), set(), set()]
    assert best.change(0, np.float32([-1e30, 9, -1e30])).tolist() == []
    assert found(best)[:3] == [set(), {0, 2}, set()]
