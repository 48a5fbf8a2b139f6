"""Learning from rewards: the policy gradient, against all captions there are."""

import itertools

import keras
import numpy as np
import pytest
import tensorflow as tf

from annotator.captioner import (
    BeamSearch,
    Captioner,
    CausalTextFeedback,
    SoftDecoder,
    TextFeedback,
    Truncation,
    Vocabulary,
)

FEEDBACKS = {
    "none": lambda: None,
    "draft": lambda: TextFeedback(3, rounds=1, jit_compile=False),
    "causal": lambda: CausalTextFeedback(3, rounds=1, jit_compile=False),
}
WORDS = ["a b c"]
REGIONS = tf.constant(np.random.default_rng(1).uniform(size=[2, 3, 4]), tf.float32)


def build(feedback="none", dropout=0.0, max_length=2):
    keras.utils.set_random_seed(3)
    vocabulary = Vocabulary.fit(WORDS)
    decoder = SoftDecoder(
        len(vocabulary), units=5, attention_units=4, dropout=dropout, jit_compile=False
    )
    sampler = BeamSearch(2, max_length=max_length)
    captioner = Captioner(vocabulary, decoder, FEEDBACKS[feedback](), sampler)
    captioner.build((None, None, 4))
    for weight in captioner.trainable_weights:
        weight.assign_add(tf.random.normal(weight.shape, stddev=0.3))
    return captioner


def value(tokens):
    """A reward that differs from caption to caption."""
    places = tf.range(1, tokens.shape[-1] + 1)
    return tf.math.floormod(tf.reduce_sum(tokens * places**2, -1), 4)


def every_caption():
    """All captions of one or two words, as a sampler returns them."""
    one = [[1, word, 2, 0] for word in (4, 5, 6)]
    two = [[1, *words, 2] for words in itertools.product((4, 5, 6), repeat=2)]
    return tf.constant(one + two)


# From what captions are drawn, and the same for log probabilities `[..., V]` by hand.
TRUNCATIONS = {
    "all": (Truncation(), lambda log_probs: log_probs),
    "sharp": (Truncation(temperature=0.5), lambda log_probs: 2 * log_probs),
    "two": (
        Truncation(top_k=2),
        lambda log_probs: without(log_probs, ranks(log_probs) >= 2),
    ),
    "nucleus": (
        Truncation(top_p=0.6, temperature=2.0),
        lambda log_probs: without(0.5 * log_probs, outside(0.5 * log_probs, 0.6)),
    ),
}


def ranks(log_probs):
    """How many words are more probable."""
    log_probs = np.asarray(log_probs)
    return np.sum(log_probs[..., None, :] > log_probs[..., None], -1)


def outside(log_probs, share):
    """Whether the more probable words have that share already."""
    log_probs, chances = np.asarray(log_probs), tf.nn.softmax(log_probs).numpy()
    above = (log_probs[..., None, :] > log_probs[..., None]) * chances[..., None, :]
    return np.sum(above, -1) >= share


def without(log_probs, left_out):
    return tf.where(left_out, -1e9, log_probs)


def probabilities(captioner, regions, tokens, truncated=lambda log_probs: log_probs):
    """Of captions `[C, 4]` for one image, from the words' that may come."""
    prepared = captioner.prepare(regions)
    draft = captioner.draft(regions)
    current = captioner.feedback.refine_by_given_drafts(
        captioner.decoder, prepared, draft
    )
    states = captioner.feedback.states(captioner.decoder, current, tokens[None, :, :-1])
    logits = captioner.decoder.logits(states["hidden"])[0]
    logits += tf.constant([-1e9, -1e9, 0, -1e9] + [0.0] * 3)
    logits += tf.constant([[-1e9], [0.0], [0.0]]) * tf.one_hot(2, 7)
    logits = truncated(tf.nn.log_softmax(logits))
    log_probs = tf.gather(tf.nn.log_softmax(logits), tokens[:, 1:], batch_dims=2)
    # After two words a caption ends; nothing is drawn there.
    drawn = (tokens[:, 1:] != 0) & (tf.range(3) < 2)
    return tf.exp(tf.reduce_sum(tf.where(drawn, log_probs, 0.0), -1))


# With the second seed the longest caption fills the 8 places that are computed.
@pytest.mark.parametrize(("max_length", "seed"), [(4, 4), (7, 15)])
@pytest.mark.parametrize("feedback", FEEDBACKS)
def test_the_loss_by_hand(feedback, max_length, seed):
    captioner = build(feedback, max_length=max_length)
    drawn = []

    def reward(tokens):
        drawn.append(tokens)
        return tf.cast(value(tokens), tf.float32)

    sums = captioner.self_critical_loss(REGIONS, reward, seed, samples=6)
    (tokens,) = drawn
    assert tokens.shape == (2, 6, max_length + 2)
    if max_length == 7:
        assert np.count_nonzero(tokens, axis=-1).max() == 8
    expected = words = pairs = 0
    for b in range(2):
        prepared = captioner.prepare(REGIONS[b : b + 1])
        draft = captioner.draft(REGIONS[b : b + 1])
        current = captioner.feedback.refine_by_given_drafts(
            captioner.decoder, prepared, draft
        )
        hidden = captioner.feedback.states(
            captioner.decoder, current, tokens[b : b + 1, :, :-1]
        )["hidden"]
        logits = captioner.decoder.logits(hidden)[0].numpy()
        logits[..., [0, 1, 3]] = -np.inf
        logits[:, 0, 2] = -np.inf
        for i, t in np.argwhere(tokens[b, :, 1:-2] == tokens[b, :, 2:-1]):
            if tokens[b, i, t + 1]:  # not a third time
                logits[i, t + 2, tokens[b, i, t + 1]] = -np.inf
                pairs += 1
        log_probs = logits - np.log(np.exp(logits).sum(-1, keepdims=True))
        rewards = value(tokens[b]).numpy()
        for i in range(6):
            others = np.delete(rewards, i).mean()
            for t, word in enumerate(tokens[b, i, 1:-1].numpy()):
                if word:
                    expected -= (rewards[i] - others) * log_probs[i, t, word]
                    words += 1
    assert float(sums["loss"]) == pytest.approx(expected, rel=1e-4)
    assert pairs and float(sums["tokens"]) == words
    assert float(sums["captions"]) == 12
    assert float(sums["reward"]) == int(tf.reduce_sum(value(tokens)))


@pytest.mark.parametrize(
    "name",
    [
        pytest.param(name, marks=[pytest.mark.slow] * (name != "nucleus"))
        for name in TRUNCATIONS
    ],
)
def test_its_gradient_is_that_of_the_expected_reward(name):
    captioner, (truncation, truncated) = build(), TRUNCATIONS[name]
    regions, captions = REGIONS[:1], every_caption()
    weight = captioner.decoder.output_projection.bias
    with tf.GradientTape() as tape:
        chances = probabilities(captioner, regions, captions, truncated)
        np.testing.assert_allclose(tf.reduce_sum(chances), 1, rtol=1e-5)
        rewards = tf.cast(value(captions), tf.float32)
        expected = tf.reduce_sum(chances * rewards)
    exact = tape.gradient(expected, weight)[4:].numpy()
    impossible = set(map(tuple, captions[chances < 1e-6].numpy()))
    assert bool(impossible) == (name in ("two", "nucleus"))
    draws, drawn = [], []

    def reward(tokens):
        drawn.append(tokens)
        return tf.cast(value(tokens), tf.float32)

    @tf.function(autograph=False)  # op by op it takes ten times as long
    def draw(seed):
        with tf.GradientTape() as tape:
            sums = captioner.self_critical_loss(
                regions, reward, seed, samples=1000, truncation=truncation
            )
            loss = sums["loss"] / sums["captions"]
        return tape.gradient(loss, weight), drawn[-1]

    for seed in range(8):
        gradient, tokens = draw(tf.constant(seed))
        assert not impossible & set(map(tuple, tokens[0].numpy()))
        draws.append(-gradient[4:].numpy())
    error = np.std(draws, axis=0) / np.sqrt(len(draws))
    # A word that never comes has no gradient at all.
    assert np.all(np.abs(np.mean(draws, axis=0) - exact) < 5 * error + 1e-6)
    assert np.abs(exact).max() > 0.02


@pytest.mark.parametrize("feedback", FEEDBACKS)
def test_gradients_reach_every_weight(feedback):
    captioner = build(feedback, max_length=4)
    # Among the words of a draft there is one to choose only if there are two.
    captioner.decoder.output_projection.bias.assign([0, 0, -5, 0, 0, 0, 0])
    with tf.GradientTape() as tape:
        sums = captioner.self_critical_loss(
            REGIONS, lambda t: tf.cast(value(t), tf.float32), seed=0, samples=20
        )
    gradients = tape.gradient(sums["loss"], captioner.trainable_weights)
    for gradient, weight in zip(gradients, captioner.trainable_weights, strict=True):
        assert np.abs(tf.convert_to_tensor(gradient)).max() > 0, weight.path


def test_equal_rewards_teach_nothing():
    captioner = build("draft")
    with tf.GradientTape() as tape:
        sums = captioner.self_critical_loss(
            REGIONS, lambda tokens: tf.fill(tokens.shape[:2], 2.0), seed=0, samples=3
        )
    assert float(sums["loss"]) == 0
    for gradient in tape.gradient(sums["loss"], captioner.trainable_weights):
        assert np.abs(tf.convert_to_tensor(gradient)).max() == 0


@pytest.mark.slow
def test_rewarded_captions_become_probable():
    captioner = build()
    wanted = tf.constant([[1, 5, 4, 2]])
    optimizer = keras.optimizers.Adam(0.05)

    @tf.function(autograph=False)
    def step(seed):
        with tf.GradientTape() as tape:
            sums = captioner.self_critical_loss(
                REGIONS[:1],
                lambda t: tf.cast(tf.reduce_all(t == wanted, -1), tf.float32),
                seed,
                samples=16,
            )
        gradients = tape.gradient(sums["loss"], captioner.trainable_weights)
        optimizer.apply(gradients, captioner.trainable_weights)

    before = float(probabilities(captioner, REGIONS[:1], wanted)[0])
    for seed in range(40):
        step(tf.constant(seed))
    assert float(probabilities(captioner, REGIONS[:1], wanted)[0]) > max(0.9, before)


def test_the_seed_decides_what_is_drawn_and_dropout_does_not():
    drawn = []

    def reward(tokens):
        drawn.append(tokens.numpy())
        return tf.cast(value(tokens), tf.float32)

    captioner = build("draft", dropout=0.5)
    losses = [
        float(captioner.self_critical_loss(REGIONS, reward, seed, 8)["loss"])
        for seed in (1, 1, 2)
    ]
    np.testing.assert_array_equal(drawn[0], drawn[1])
    assert losses[0] == losses[1]
    assert np.any(drawn[0] != drawn[2])


def test_dropout_is_on_only_where_captions_learn():
    drawn = []

    def reward(tokens):
        drawn.append(tokens.numpy())
        return tf.cast(value(tokens), tf.float32)

    captioner = build(dropout=0.5)
    losses = [
        float(captioner.self_critical_loss(REGIONS, reward, 1, 8, dropout=on)["loss"])
        for on in (False, True, True)
    ]
    np.testing.assert_array_equal(drawn[0], drawn[1])
    np.testing.assert_array_equal(drawn[0], drawn[2])
    assert len(set(losses)) == 3


def test_one_caption_has_no_other_to_compare_with():
    with pytest.raises(ValueError, match="samples=1"):
        build().self_critical_loss(REGIONS, value, seed=0, samples=1)
