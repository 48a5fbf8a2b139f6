"""A captioner that starts from a trained one with other words."""

import keras
import numpy as np
import pytest

from annotator.captioner import Captioner, GreedySampler, TextFeedback, Vocabulary
from annotator.captioner.decoders.registry import build_decoder, decoder_names
from annotator.captioner.transfer import take_over

OLD = ("dog", "red", "runs", "tree")
NEW = ("runs", "cat", "dog", "boat", "red")


def built(words, decoder="stacked", tied=False, seed=0, rounds=0, units=8):
    keras.utils.set_random_seed(seed)
    vocabulary = Vocabulary(words)
    captioner = Captioner(
        vocabulary,
        build_decoder(
            decoder, len(vocabulary), 2, units=units, attention_units=4, tied=tied
        ),
        TextFeedback(4, rounds=rounds) if rounds else None,
        GreedySampler(6),
    )
    captioner.build((None, None, 5))
    rng = np.random.default_rng(seed)
    captioner.standardize(rng.normal(size=5), rng.uniform(1, 2, 5))
    return captioner


def regions():
    return np.random.default_rng(5).normal(size=(7, 9, 5)).astype(np.float32)


@pytest.mark.parametrize(
    ("decoder", "tied"),
    [
        *((name, False) for name in decoder_names()),
        ("stacked", True),
        *(
            pytest.param(name, True, marks=pytest.mark.slow)
            for name in decoder_names()
            if name != "stacked"
        ),
    ],
)
def test_with_the_same_words_the_captions_are_those_of_the_trained_one(decoder, tied):
    trained = built(OLD, decoder, tied, seed=1)
    captioner = built(OLD, decoder, tied, seed=2)
    theirs = trained.generate(regions())
    assert (captioner.generate(regions())["scores"] != theirs["scores"]).numpy().any()
    assert take_over(captioner, trained) == []
    mine = captioner.generate(regions())
    for name in ("captions", "scores"):
        np.testing.assert_array_equal(mine[name], theirs[name])


@pytest.mark.parametrize("tied", [False, True])
def test_known_words_keep_their_rows_and_new_ones_are_initialized(tied):
    trained, captioner = built(OLD, tied=tied, seed=1), built(NEW, tied=tied, seed=2)
    fresh = built(NEW, tied=tied, seed=2)
    assert take_over(captioner, trained) == ["cat", "boat"]

    def of_words(model):
        decoder = model.decoder
        yield np.asarray(decoder.embedding.embeddings)
        if tied:
            yield np.asarray(decoder.output_bias)
        else:
            yield np.asarray(decoder.output_projection.kernel).T
            yield np.asarray(decoder.output_projection.bias)

    parts = zip(*map(of_words, (captioner, trained, fresh)), strict=True)
    for mine, theirs, new in parts:
        for row, word in enumerate(captioner.vocabulary.words):
            if word in trained.vocabulary.words:
                known = trained.vocabulary.words.index(word)
                np.testing.assert_array_equal(mine[row], theirs[known])
            else:
                np.testing.assert_array_equal(mine[row], new[row])
    for name in ("region_mean", "region_deviation"):
        np.testing.assert_array_equal(getattr(captioner, name), getattr(trained, name))


def test_feedback_is_taken_over_where_both_have_it():
    trained = built(OLD, seed=1, rounds=1)
    captioner = built(OLD, seed=2, rounds=1)
    take_over(captioner, trained)
    for mine, theirs in zip(captioner.weights, trained.weights, strict=True):
        np.testing.assert_array_equal(mine, theirs)
    plain = built(OLD, seed=3)
    take_over(plain, trained)
    expected = trained.generate(regions(), with_feedback=False)["captions"]
    np.testing.assert_array_equal(plain.generate(regions())["captions"], expected)


@pytest.mark.parametrize(
    ("other", "message"),
    [
        ({"decoder": "nic"}, "decoder is a StackedDecoder.*a NicDecoder"),
        ({"tied": True}, "of .* weights, the trained one's a StackedDecoder of"),
        ({"units": 6}, "shape .* the trained one's .* not alike"),
    ],
)
def test_what_is_not_alike_is_refused_and_changes_nothing(other, message):
    captioner = built(OLD, seed=2)
    before = [weight.numpy().copy() for weight in captioner.weights]
    with pytest.raises(ValueError, match=message):
        take_over(captioner, built(OLD, seed=1, **other))
    for weight, value in zip(captioner.weights, before, strict=True):
        np.testing.assert_array_equal(weight, value)
