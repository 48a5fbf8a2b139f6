"""The captioner: what it returns, and that training and decoding agree."""

import itertools

import keras
import numpy as np
import pytest
import tensorflow as tf

from annotator.captioner import (
    BeamSearch,
    Captioner,
    GreedySampler,
    StackedDecoder,
    Vocabulary,
)

R, D, L = 4, 6, 5  # as in conftest.py
FEEDBACKS = ("none", "draft", "causal")


def test_keras_is_told_what_it_would_trace(build, regions):
    captioner = build()
    told = captioner(keras.Input((R, D)))
    written = captioner(regions)
    assert told.keys() == written.keys()
    for name, value in written.items():
        assert told[name].shape == (None, *value.shape[1:])
        assert told[name].dtype == keras.backend.standardize_dtype(value.dtype)


def cases_of_generate():
    """All of them; those that show nothing more, and take seconds, are slow."""
    for feedback, soft, in_graph in itertools.product(
        (*FEEDBACKS, "two drafts"), (False, True), (False, True)
    ):
        fast = not (soft and "draft" in feedback)
        if in_graph:
            fast = feedback == "causal" and not soft
        marks = () if fast else pytest.mark.slow
        yield pytest.param(feedback, soft, in_graph, marks=marks)


@pytest.mark.parametrize(("feedback", "soft", "in_graph"), cases_of_generate())
def test_generate_returns_text_and_attention(feedback, soft, in_graph, build, regions):
    captioner = build(feedback, soft)

    def generate(regions):
        return captioner.generate(regions, return_attention=True)

    found = (tf.function(generate, autograph=False) if in_graph else generate)(regions)
    assert found["tokens"].shape == (4, L + 2)
    assert found["n_best_tokens"].shape == (4, 2, L + 2)
    assert found["attention"].shape == (4, L + 1, 1, R)
    np.testing.assert_allclose(tf.reduce_sum(found["attention"], -1), 1, atol=1e-5)
    for text, ids in zip(found["captions"], found["tokens"], strict=True):
        assert text.numpy().decode() == captioner.vocabulary.decode(ids) != ""
    np.testing.assert_array_equal(found["n_best_scores"][:, 0], found["scores"])
    assert np.all(found["n_best_scores"][:, 0] >= found["n_best_scores"][:, 1])
    if "draft" in feedback:
        rounds = captioner.feedback.rounds
        assert found["drafts"].shape == (4, rounds)
        assert found["region_weights"].shape == (4, rounds, R)
        assert found["draft_attention"].shape == (4, rounds, L + 1, 1, R)
        drafts = captioner.draft(regions)
        np.testing.assert_array_equal(found["draft_tokens"], drafts)
    if feedback == "causal":
        assert found["region_weights"].shape == (4, L + 1, R)
        read = found["tokens"][:, None, :-1]
        _, plain = captioner.decoder(regions, read, return_attention=True)
        np.testing.assert_allclose(found["plain_attention"], plain[:, 0], atol=1e-5)
        assert np.abs(found["plain_attention"] - found["attention"]).max() > 1e-3
        shares = found["word_weights"].numpy()  # of the words before each step
        np.testing.assert_allclose(shares[:, 1:].sum(-1), 1, atol=1e-5)
        np.testing.assert_array_equal(shares, np.tril(shares, -1))


@pytest.mark.parametrize("feedback", FEEDBACKS)
@pytest.mark.parametrize("soft", [False, True])
def test_scores_are_those_of_the_loss(feedback, soft, build, regions):
    """Decoding word by word and the training path agree on the found captions."""
    captioner = build(feedback, soft)
    captioner.decoder.output_projection.bias.assign_add(3 * tf.one_hot(2, 12))
    found = captioner.generate(regions, BeamSearch(3, 0.0, max_length=20))
    assert np.all(np.asarray(found["tokens"])[:, -1] == 0), "not cut off"
    draft = captioner.draft(regions)
    for i in (0, 3):
        one = slice(i, i + 1)
        sums = captioner.caption_loss(
            regions[one], found["tokens"][one, None], draft[one], training=False
        )
        np.testing.assert_allclose(-sums["loss"], found["scores"][i], rtol=1e-4)


@pytest.mark.slow
@pytest.mark.parametrize("feedback", FEEDBACKS)
def test_it_learns_to_tell_images_apart(feedback, build, captions, regions):
    captioner = build(feedback, max_length=8)
    tokens = tf.constant(captioner.vocabulary.encode(captions))[:, None]
    optimizer = keras.optimizers.Adam(0.02)
    variables = captioner.trainable_variables

    @tf.function(autograph=False)
    def step(draft):
        with tf.GradientTape() as tape:
            sums = captioner.caption_loss(regions, tokens, draft)
            loss = sums["loss"] / sums["tokens"]
        optimizer.apply(tape.gradient(loss, variables), variables)

    draft = tf.function(captioner.draft, autograph=False)
    for i in range(80):
        if i % 10 == 0:
            drafts = draft(regions)
        step(drafts)
    generate = tf.function(captioner.generate, autograph=False)
    for sampler in (captioner.sampler, GreedySampler(8)):
        found = generate(regions, sampler)
        assert [t.decode() for t in found["captions"].numpy()] == captions


def test_missing_drafts_are_refused(build, regions, tokens):
    captioner = build("two drafts")
    with pytest.raises(ValueError, match="2 rounds of feedback need drafts"):
        captioner.caption_loss(regions, tokens)


def test_a_decoder_of_another_size_is_refused():
    with pytest.raises(ValueError, match="12 words, the vocabulary 5"):
        Captioner(Vocabulary(["a"]), StackedDecoder(12, layers=2))


@pytest.mark.parametrize("feedback", ["draft", "causal"])
def test_without_feedback_the_decoder_writes_alone(feedback, build, regions):
    captioner = build(feedback)
    plain = Captioner(
        captioner.vocabulary, captioner.decoder, sampler=captioner.sampler
    )
    plain.build((None, None, D))
    expected = plain.generate(regions, return_attention=True)
    found = captioner.generate(regions, return_attention=True, with_feedback=False)
    assert set(found) == set(expected)
    for name, value in expected.items():
        np.testing.assert_array_equal(found[name], value)
    with_it = captioner.generate(regions)
    assert not np.array_equal(with_it["scores"], expected["scores"])


def test_drafts_keep_to_the_limits_of_captions(build):
    sampler = BeamSearch(2, max_length=7, no_repeat_ngram=2)
    plain = build()
    captioner = Captioner(plain.vocabulary, plain.decoder, sampler=sampler)
    assert captioner.draft_sampler.max_length == 7
    assert captioner.draft_sampler.no_repeat_ngram == 2
    # A file says how its drafts are decoded, whatever the default is by now.
    before = keras.saving.serialize_keras_object(GreedySampler(7))
    config = {**captioner.get_config(), "draft_sampler": before}
    assert Captioner.from_config(config).draft_sampler.no_repeat_ngram == 0
