"""What picks a captioner's weights, where BLEU-4 alone would keep a broken model."""

import keras
import numpy as np
import pytest
import tensorflow as tf

from annotator.captioner import Vocabulary
from annotator.config import Config
from annotator.metrics.captions import score_captions
from annotator.runs.run import Run
from annotator.training.captioner.batches import encode_references
from annotator.training.captioner.fit import build_captioner
from annotator.training.captioner.phases import finished, is_best
from annotator.training.captioner.selection import (
    loss_function,
    reference_loss,
    selection_score,
)

REFERENCES = [["a dog runs over the grass"], ["two men sit on a bench"]] * 2
BROKEN = ["a"] * 4
LEARNING = ["a man with a red dog", "a man men sit with a man"] * 2
BETTER = ["dog the over grass runs", "bench on men sit two a"] * 2
GOOD = ["a dog runs over a man", "a man sit on a"] * 2


def picked(captions, loss=None, **settings):
    """The picking score of captions; only a loss that is given may be asked for."""

    def ask():
        assert loss is not None
        return loss

    scores = score_captions(captions, REFERENCES, meteor="none")
    return selection_score(Config(**settings), scores, ask)


def bleu_4(captions):
    return score_captions(captions, REFERENCES, meteor="none")["bleu_4"]


def test_one_word_for_all_does_not_win_by_its_shortness():
    assert bleu_4(BROKEN) > bleu_4(BETTER) > 0  # as coco-caption has it, too
    assert picked(BROKEN, 5.0) < picked(BETTER) < picked(GOOD)
    assert picked(BETTER)[0] == picked(BROKEN, 5.0)[0] == 0
    assert picked(GOOD)[0] == bleu_4(GOOD)


def test_a_training_leaves_the_broken_model():
    """Epochs as they come: a word for all, less loss, words that match, sentences."""
    config = Config(epochs=9, patience=2)
    epochs = [(BROKEN, 6.0), (BROKEN, 5.0), (LEARNING, 4.0), (BETTER, None)]
    epochs += [(BROKEN, 3.0), (GOOD, None), (BROKEN, 2.0), (BETTER, None)]
    scores, kept = [], None
    for epoch, (captions, loss) in enumerate(epochs):
        assert not finished(scores, config)
        score = picked(captions, loss)
        if is_best(score, scores, config):
            kept = epoch
        scores.append(score)
    assert kept == 5 and finished(scores, config)


def test_ties_are_broken_by_cider_then_by_the_loss():
    first, second, third = picked(BETTER)
    assert first == third == 0 and second > 0
    # A loss decides between captions of which nothing matches, the lower the better.
    assert picked(BROKEN, 3.0) == [0.0, 0.0, -3.0] > picked(BROKEN, 3.5)
    assert picked(BETTER) > picked(BROKEN, 0.1)
    bleu, cider, _ = picked(GOOD)
    assert picked(GOOD, select_by="cider") == [cider, bleu, 0.0]
    assert picked(BROKEN, 2.0, select_by="cider") == [0.0, 0.0, -2.0]


@pytest.fixture(scope="module")
def captioner():
    """With dropout and feedback, which have no part in the loss of references."""
    keras.utils.set_random_seed(1)
    words = sorted({word for group in REFERENCES for word in group[0].split()})
    config = Config(
        units=8,
        attention_units=4,
        dropout=0.5,
        rounds=1,
        jit_compile=False,
        precision="float32",
        max_length=6,
    )
    captioner = build_captioner(Run(config, "unused"), Vocabulary(words))
    captioner.build((None, None, 3))
    return captioner


def test_the_loss_is_the_mean_over_words_and_without_chance(captioner):
    regions = np.random.default_rng(0).normal(size=(4, 5, 3)).astype(np.float32)
    references = [["a dog runs"], ["two men", "a bench"], ["grass"], ["the the the"]]
    tokens = encode_references(captioner.vocabulary, references, 6)
    assert tokens.shape == (4, 2, 8)
    loss = loss_function(captioner)
    losses = [
        reference_loss(
            loss, tf.data.Dataset.from_tensor_slices(regions).batch(size), tokens
        )
        for size in (4, 3, 1, 3)
    ]
    assert loss.experimental_get_tracing_count() == 1  # whatever the batches are
    np.testing.assert_allclose(losses, losses[0], rtol=1e-5)
    assert losses[1] == losses[3]
    # By hand: the log probability of each next word, <end> among them.
    total, words = 0.0, 0
    for image, group in zip(regions, tokens, strict=True):
        for ids in group:
            length = int((ids != 0).sum())
            if length:
                sums = captioner.caption_loss(
                    image[None],
                    ids[None, None, :length],
                    with_feedback=False,
                    training=False,
                )
                total += float(sums["cross_entropy"])
                words += length - 1
    assert losses[0] == pytest.approx(total / words, rel=1e-5)
