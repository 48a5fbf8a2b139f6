"""CIDEr-D of token ids against coco-caption's, and by its properties."""

import numpy as np
import pytest

from annotator.metrics.cider_reward import CiderReward

# Word ids; 0 is padding.
CORPUS = np.array(
    [
        [[4, 5, 6, 7, 8, 0], [4, 5, 6, 9, 0, 0]],
        [[4, 9, 10, 0, 0, 0], [4, 9, 11, 12, 13, 14]],
        [[15, 0, 0, 0, 0, 0], [0, 0, 0, 0, 0, 0]],
    ]
)


def random_corpus(images=12, captions=3, length=9, words=14):
    rng = np.random.default_rng(5)
    ids = rng.integers(1, words, [images, captions, length])
    lengths = rng.integers(1, length + 1, [images, captions, 1])
    return np.where(np.arange(length) < lengths, ids, 0)


def text(ids):
    return " ".join(str(i) for i in ids if i)


def test_equals_coco_captions_cider():
    cider = pytest.importorskip("pycocoevalcap.cider.cider")
    references = random_corpus()
    hypotheses = np.concatenate([random_corpus(12, 1, 7)[::-1], references[:, :1, :7]])
    of_image = {i: [text(ids) for ids in group] for i, group in enumerate(references)}
    reward = CiderReward(references)
    for some in (hypotheses[:12], hypotheses[12:]):
        texts = {i: [text(group[0])] for i, group in enumerate(some)}
        _, expected = cider.Cider().compute_score(of_image, texts)
        np.testing.assert_allclose(reward(references, some)[:, 0], expected, rtol=1e-6)


def test_by_hand():
    # Only 4 is in two of the three images; its weight is log(3 / 2), that of 15 log 3.
    reward = CiderReward(CORPUS)(CORPUS[2:], np.array([[[15, 0], [15, 4], [4, 0]]]))
    rare, common = np.log(3), np.log(3 / 2)
    cosine = rare / np.hypot(rare, common)
    # One of four orders counts; the second caption is a bigram longer.
    expected = [10 / 4, 10 / 4 * cosine * np.exp(-1 / 72), 0]
    np.testing.assert_allclose(reward, [expected], rtol=1e-6)


def test_a_reference_is_worth_more_than_what_breaks_off():
    reward = CiderReward(CORPUS)
    whole, part, empty = [4, 5, 6, 7, 8], [4, 5, 6, 0, 0], [0] * 5
    rewards = reward(CORPUS[:1], np.array([[whole, part, empty]]))[0]
    assert rewards[0] > rewards[1] > rewards[2] == 0


def test_a_batch_equals_its_rows_and_padding_changes_nothing():
    references = random_corpus()
    hypotheses = random_corpus(captions=4, length=6)
    reward = CiderReward(references)
    whole = reward(references, hypotheses)
    assert whole.shape == (12, 4) and whole.dtype == np.float32
    wider = np.pad(references, [(0, 0), (0, 2), (0, 3)])
    for i in range(12):
        rows = reward(
            wider[i : i + 1], np.pad(hypotheses[i : i + 1], [(0, 0)] * 2 + [(0, 4)])
        )
        np.testing.assert_array_equal(rows[0], whole[i])


def test_an_image_without_captions_rewards_nothing():
    references = CORPUS.copy()
    references[1] = 0
    rewards = CiderReward(references)(references, CORPUS[:, :1])
    assert rewards[1, 0] == 0 and rewards[0, 0] > 0
