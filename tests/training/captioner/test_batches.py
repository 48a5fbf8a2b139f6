"""Batches of the captioner's training."""

import types

import numpy as np
import pytest
import tensorflow as tf

from annotator.captioner import Vocabulary
from annotator.config import Config
from annotator.training.captioner.batches import CaptionBatches

# Image i has i % 3 + 1 captions, the longest of them of i % 7 + 1 words.
CAPTIONS = [
    [" ".join(["a"] * (i % 7 + 1)), *["a b"] * (i % 3)][: i % 3 + 1] for i in range(22)
]


class Inputs:
    """Regions that say which image they are of, and which epoch they were read for."""

    signature = tf.TensorSpec([None, 1, 2], tf.float16)
    train = types.SimpleNamespace(annotated=types.SimpleNamespace(captions=CAPTIONS))

    def read(self, rows, epoch):
        regions = np.stack([rows, np.full_like(rows, epoch)], axis=1)
        return regions[:, None].astype(np.float16)


@pytest.fixture
def batches():
    config = Config(caption_batch=4, max_length=9, seed=3)
    return CaptionBatches(config, Inputs(), Vocabulary(["a", "b"]))


def stream(batches, epoch=0, start=0, drafts=None):
    return list(batches.stream(epoch, start, drafts, tf.distribute.get_strategy()))


def test_epochs_see_every_image_once_in_other_batches(batches):
    first, second = batches.rows(0), batches.rows(1)
    assert len(first) == len(batches) == 6
    for rows in (first, second):
        assert sorted(np.concatenate(rows)) == list(range(22))
        assert sorted(map(len, rows)) == [2, 4, 4, 4, 4, 4]
    assert [list(b) for b in first] == [list(b) for b in batches.rows(0)]
    assert [list(b) for b in first] != [list(b) for b in second]


def test_a_batch_holds_captions_of_like_length(batches):
    spans = [np.ptp(batches.longest[rows]) for rows in batches.rows(0)]
    assert max(spans) <= 2


def test_a_batch_has_its_images_and_all_their_captions(batches):
    found = stream(batches, epoch=2)
    for rows, (regions, tokens, draft) in zip(batches.rows(2), found, strict=True):
        np.testing.assert_array_equal(regions[:, 0, 0], rows)
        np.testing.assert_array_equal(regions[:, 0, 1], 2)
        assert draft is None
        # <start>, words and <end>, rounded up.
        longest = max(len(text.split()) for i in rows for text in CAPTIONS[i]) + 2
        assert longest <= tokens.shape[2] <= longest + 3
        for i, ids in zip(rows, tokens.numpy(), strict=True):
            captions = [list(caption[caption != 0]) for caption in ids]
            words = [
                [{"a": 4, "b": 5}[w] for w in text.split()] for text in CAPTIONS[i]
            ]
            expected = [[1, *ids, 2] for ids in words] + [[]] * (3 - len(words))
            assert captions == expected


def test_a_continued_epoch_has_the_rest(batches):
    drafts = np.arange(22 * 2).reshape(22, 1, 2).astype(np.int32)
    whole, rest = stream(batches, 1, 0, drafts), stream(batches, 1, 4, drafts)
    assert len(rest) == 2
    for one, other in zip(whole[4:], rest, strict=True):
        for a, b in zip(one, other, strict=True):
            np.testing.assert_array_equal(a, b)
    regions, _, draft = whole[0]
    np.testing.assert_array_equal(draft[:, 0, 0], 2 * regions[:, 0, 0].numpy())
