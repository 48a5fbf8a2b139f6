"""The rule that chooses images: by rank, none twice."""

import numpy as np
import pytest

from annotator.evaluation.report.choice import choose


def chosen(scores, wanted):
    choice = choose(np.array(scores), wanted)
    return choice.best.tolist(), choice.middling.tolist(), choice.worst.tolist()


def test_a_third_each_in_their_order():
    scores = [0.5, 0.9, 0.1, 0.7, 0.3, 0.6, 0.2, 0.8, 0.4]
    assert chosen(scores, 3) == ([1], [0], [2])
    # 0.9 0.8 | 0.7 | 0.6 0.5 | 0.4 0.3 | 0.2 0.1: with an odd rest the better two.
    assert chosen(scores, 6) == ([1, 7], [5, 0], [2, 6])
    assert chosen(scores, 4) == ([1, 7], [0], [2])
    assert chosen(scores, 5) == ([1, 7], [0], [2, 6])


def test_equal_images_stand_in_the_order_of_the_split():
    assert chosen([1.0] * 7, 3) == ([0], [3], [6])
    assert chosen([0.0, 1.0, 0.0, 1.0, 0.0], 5) == ([1, 3], [0], [4, 2])


def test_an_image_without_a_score_is_not_chosen():
    assert chosen([np.nan, 0.5, np.nan, 0.6], 9) == ([3], [], [1])
    assert chosen([np.nan], 9) == ([], [], [])


@pytest.mark.parametrize("images", range(1, 9))
@pytest.mark.parametrize("wanted", range(10))
def test_no_image_is_chosen_twice_and_none_is_passed_over(images, wanted):
    scores = np.random.default_rng(images).permutation(images) / images
    choice = choose(scores, wanted)
    rows = [*choice.best, *choice.middling, *choice.worst]
    assert len(set(rows)) == len(rows) == min(wanted, images)
    assert choice.rows.tolist() == sorted(rows)
    descending = [*choice.best, *choice.middling, *choice.worst[::-1]]
    assert np.all(np.diff(scores[descending]) < 0)
    if wanted and images > 1:
        assert scores[choice.best[0]] == max(scores)
    if wanted > 1 and images > 1:
        assert scores[choice.worst[0]] == min(scores)
