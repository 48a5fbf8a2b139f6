"""Scores of tags: by hand, against plain loops, and what is refused."""

import numpy as np
import pytest

from annotator.metrics.tags import per_word_table, score_tags, tag_intervals

WORDS = ["sky", "sea", "cat", "unused"]

# Columns: sky, sea, cat, unused.
TRUE = np.array(
    [
        [1, 1, 0, 0],
        [1, 0, 0, 0],
        [0, 1, 1, 0],
        [0, 0, 0, 0],  # an image without words
    ],
    bool,
)
PREDICTED = np.array(
    [
        [1, 0, 0, 1],
        [1, 1, 0, 0],
        [1, 1, 0, 0],
        [1, 0, 0, 1],
    ],
    bool,
)


def test_hand_computed():
    # sky: predicted 4, correct 2 of 2. sea: predicted 2, correct 1 of 2.
    # cat: never predicted, 0 of 1. unused: not in the split, so left out.
    scores = score_tags(PREDICTED, TRUE, WORDS)
    precision, recall = (1 / 2 + 1 / 2 + 0) / 3, (1 + 1 / 2 + 0) / 3
    assert scores["precision"] == pytest.approx(precision)
    assert scores["recall"] == pytest.approx(recall)
    assert scores["f1"] == pytest.approx(2 * precision * recall / (precision + recall))
    assert scores["n_plus"] == 2
    assert scores["words"] == 3
    # Images 1-3: 1 of 2, 1 of 2, 1 of 2 right; 1 of 2, 1 of 1, 1 of 2 found.
    assert scores["image_precision"] == pytest.approx(1 / 2)
    assert scores["image_recall"] == pytest.approx((1 / 2 + 1 + 1 / 2) / 3)
    assert scores["images"] == 4


def test_intervals_are_those_of_scores_of_resampled_images():
    rng = np.random.default_rng(3)
    true, predicted = rng.random((2, 40, 5)) < 0.3
    true[3:, 4] = False  # a word of few images, which samples lack
    words = list("abcde")
    draws = np.random.default_rng(1).multinomial(40, np.full(40, 1 / 40), 50)
    resampled = [
        score_tags(predicted[rows], true[rows], words)
        for rows in (np.repeat(np.arange(40), draw) for draw in draws)
    ]
    scores = score_tags(predicted, true, words)
    intervals = tag_intervals(predicted, true, words, samples=50, seed=1)
    assert set(intervals) == {"precision", "recall", "f1", "n_plus"}
    for name, (low, high) in intervals.items():
        deviation = np.std([sample[name] for sample in resampled])
        assert deviation > 0
        assert (low + high) / 2 == pytest.approx(scores[name])
        assert (high - low) / 2 == pytest.approx(1.96 * deviation)


def test_f1_is_that_of_the_averages_not_an_average():
    true = np.array([[1, 1], [0, 1]], bool)
    predicted = np.array([[1, 0], [1, 0]], bool)
    # Word 1: P 1/2, R 1. Word 2: P 0, R 0. Averages 1/4 and 1/2.
    assert score_tags(predicted, true, ["a", "b"])["f1"] == pytest.approx(1 / 3)
    f1 = [row["f1"] for row in per_word_table(predicted, true, ["a", "b"])]
    assert f1 == pytest.approx([2 / 3, 0])


def test_perfect_and_nothing():
    perfect = score_tags(TRUE, TRUE, WORDS)
    assert perfect["precision"] == perfect["recall"] == perfect["f1"] == 1
    assert perfect["image_precision"] == perfect["image_recall"] == 1
    assert perfect["n_plus"] == 3
    nothing = score_tags(np.zeros_like(TRUE), TRUE, WORDS)
    assert nothing["precision"] == nothing["recall"] == nothing["f1"] == 0
    assert nothing["n_plus"] == 0
    assert nothing["image_precision"] == 0


def test_no_images():
    scores = score_tags(np.zeros((0, 4), bool), np.zeros((0, 4), bool), WORDS)
    assert scores["images"] == scores["words"] == 0
    assert scores["f1"] == 0


def test_order_of_images_and_words_does_not_matter():
    rng = np.random.default_rng(0)
    true, predicted = rng.random((2, 30, 12)) < 0.2
    words = [str(column) for column in range(12)]
    rows, columns = rng.permutation(30), rng.permutation(12)
    expected = score_tags(predicted, true, words)
    permuted = score_tags(
        predicted[rows][:, columns], true[rows][:, columns], [words[c] for c in columns]
    )
    assert permuted == pytest.approx(expected)


def test_matches_plain_loops():
    rng = np.random.default_rng(1)
    true, predicted = rng.random((2, 40, 9)) < 0.15
    precisions, recalls = [], []
    for column in range(9):
        pairs = list(zip(true[:, column], predicted[:, column], strict=True))
        right = sum(t and p for t, p in pairs)
        wrong = sum(p and not t for t, p in pairs)
        number = sum(t for t, _ in pairs)
        if number:
            precisions.append(right / (right + wrong) if right + wrong else 0)
            recalls.append(right / number)
    scores = score_tags(predicted, true, list("abcdefghi"))
    assert scores["precision"] == pytest.approx(np.mean(precisions))
    assert scores["recall"] == pytest.approx(np.mean(recalls))
    assert scores["n_plus"] == sum(recall > 0 for recall in recalls)


def test_per_word_table():
    table = per_word_table(PREDICTED, TRUE, WORDS)
    assert [row["word"] for row in table] == WORDS
    assert table[0] == {
        "word": "sky",
        "predicted": 4,
        "correct": 2,
        "true": 2,
        "precision": 0.5,
        "recall": 1.0,
        "f1": pytest.approx(2 / 3),
    }
    assert table[3]["true"] == 0
    assert table[3]["recall"] == table[3]["f1"] == 0


def test_scores_in_place_of_tags_are_refused():
    with pytest.raises(ValueError, match="`predicted` must be bool.*float64"):
        score_tags(np.zeros(TRUE.shape), TRUE, WORDS)


def test_shapes_must_agree():
    with pytest.raises(ValueError, match="with 3 words"):
        score_tags(PREDICTED, TRUE, WORDS[:3])
