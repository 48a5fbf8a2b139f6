"""Scores that stay true: after any corrections they are those of a fresh start."""

import dataclasses

import numpy as np
import pytest

from annotator.review.live_scores import LiveScores
from annotator.tagger.taught_words import TaughtWords
from annotator.tagger.teaching_basis import TeachingBasis

RNG = np.random.default_rng(1)
CENTERS = RNG.normal(size=(12, 10)) * 3
TOPICS = np.arange(12).repeat(10)
WORDS = [f"w{number}" for number in range(8)]


@pytest.fixture(scope="module")
def basis():
    vectors = CENTERS[TOPICS] + RNG.normal(size=(120, 10))
    return TeachingBasis.fit(WORDS, vectors, TOPICS[:, None] == np.arange(8))


@pytest.fixture(scope="module")
def photographs(basis):
    """300 vectors in rows 1 to 300."""
    topics = RNG.integers(0, 12, 300)
    return basis.whiten(CENTERS[topics] + RNG.normal(size=(300, 10)))


def started(basis, photographs, judgments=()):
    """All photographs and judgments at once."""
    live = LiveScores(TaughtWords(basis), top_k=3)
    for row, word, accepted in judgments:
        live.judge(row, word, accepted)
    live.refresh(live.put(np.arange(1, 301), photographs))
    return live


def state(live):
    return [(live.suggestions(row), live.uncertainty()[row]) for row in range(1, 301)]


def test_suggestions_are_the_best_words(basis, photographs):
    live = started(basis, photographs)
    kernel, bias = TaughtWords(basis).linear()
    scores = photographs.astype(np.float32) @ kernel + bias
    for row in range(1, 301):
        best = np.argsort(-scores[row - 1])[:3]
        words = [word for word, _ in live.suggestions(row)]
        assert words == [WORDS[place] for place in best]
    assert live.counts().sum() == 900 and not live.present[0]
    assert live.suggestions(0) == live.suggestions(10_000) == []


def test_corrections_one_by_one_equal_a_fresh_start(basis, photographs):
    live = started(basis, photographs)
    judgments = []
    for _ in range(40):
        row = int(RNG.integers(1, 301))
        word = str(RNG.choice([*WORDS, "new", "other"]))
        accepted = [True, False, None][RNG.integers(3)]
        before = {r: {w for w, _ in live.suggestions(r)} for r in range(1, 301)}
        live.judge(row, word, accepted)
        shifts = live.refresh([word])
        judgments.append((row, word, accepted))
        for other in set(range(1, 301)) - {row}:
            now = {w for w, _ in live.suggestions(other)}
            judged = (other, word) in {(r, w) for r, w, _ in judgments}
            if not judged:
                assert (word in now - before[other]) == (other in shifts[word].gained)
                assert (word in before[other] - now) == (other in shifts[word].lost)
    fresh = started(basis, photographs, judgments)
    for (words, uncertain), (expected, expected_uncertain) in zip(
        state(live), state(fresh), strict=True
    ):
        assert [w for w, _ in words] == [w for w, _ in expected]
        np.testing.assert_allclose(
            [s for _, s in words], [s for _, s in expected], rtol=1e-4, atol=1e-4
        )
        assert uncertain == pytest.approx(expected_uncertain, rel=1e-3, abs=1e-4)


def test_a_judgment_waits_for_its_photograph(basis, photographs):
    live = LiveScores(TaughtWords(basis), top_k=3)
    live.judge(7, "w0", True)
    assert live.words.taught("w0") == (0, 0)
    assert live.put(np.arange(1, 6), photographs[:5]) == set()
    assert live.put(np.arange(6, 11), photographs[5:10]) == {"w0"}
    assert live.words.taught("w0") == (1, 0)
    # The file changed: its vector takes the old one's place.
    before = live.words.linear([0])[0]
    assert live.put(np.array([7]), photographs[50:51]) == {"w0"}
    assert live.words.taught("w0") == (1, 0)
    expected = TaughtWords(basis)
    expected.add("w0", photographs[50:51])
    np.testing.assert_array_equal(live.words.linear([0])[0], expected.linear([0])[0])
    assert (live.words.linear([0])[0] != before).any()


def test_rejected_words_are_not_suggested_and_accepted_ones_are_not_either(
    basis, photographs
):
    live = started(basis, photographs)
    first, second, third = (word for word, _ in live.suggestions(5))
    live.judge(5, first, False)
    live.judge(5, second, True)
    live.refresh([first, second])
    words = [word for word, _ in live.suggestions(5)]
    assert first not in words and second not in words and third in words
    assert 5 not in live.suggested(first) and 5 not in live.suggested(second)
    live.judge(5, first, None)
    live.judge(5, second, None)
    live.refresh([first, second])
    assert [word for word, _ in live.suggestions(5)] == [first, second, third]


def test_nothing_below_the_threshold_is_suggested(basis, photographs):
    live = LiveScores(TaughtWords(basis), top_k=3, threshold=0.5)
    live.put(np.arange(1, 301), photographs)
    scores = [score for row in range(1, 301) for _, score in live.suggestions(row)]
    assert min(scores) >= 0.5 and 0 < len(scores) < 900


def test_similar_is_the_cosine(basis, photographs):
    live = started(basis, photographs)
    one = photographs[4].astype(float)
    other = photographs[9].astype(float)
    cosine = one @ other / np.linalg.norm(one) / np.linalg.norm(other)
    similar = live.similar(photographs[4])
    assert similar[10] == pytest.approx(cosine, abs=1e-4)
    assert similar[5] == pytest.approx(1, abs=1e-4) and similar[0] == 0


def test_what_other_words_add_stays_while_a_word_is_taught(basis, photographs):
    lifts = RNG.normal(size=(8, 8)).astype(np.float32)
    live = started(dataclasses.replace(basis, lifts=lifts, sharpness=1.0), photographs)
    kernel, bias = live.words.linear()
    lent = live.words.lifts(photographs)
    expected = photographs.astype(np.float32) @ kernel + bias + lent
    for place, word in enumerate(WORDS):
        np.testing.assert_allclose(
            live.scores(word)[1:], expected[:, place], rtol=1e-4, atol=5e-3
        )
    before = state(live)
    live.judge(7, "w3", True)
    live.refresh(["w3"])
    kernel, bias = live.words.linear([3])
    np.testing.assert_allclose(
        live.scores("w3")[1:],
        photographs.astype(np.float32) @ kernel[:, 0] + bias[0] + lent[:, 3],
        rtol=1e-4,
        atol=5e-3,
    )
    live.judge(7, "w3", None)
    live.refresh(["w3"])
    for (words, least), (words_before, least_before) in zip(
        state(live), before, strict=True
    ):
        assert dict(words) == pytest.approx(dict(words_before), abs=1e-4)
        assert least == pytest.approx(least_before, abs=1e-4)
