"""Hard attention: it draws a region a word, and learns by REINFORCE."""

import keras
import numpy as np
import tensorflow as tf

from annotator.captioner.decoders.registry import build_decoder

R = 4  # regions of an image


def test_hard_attention_samples_in_training_only(build, inputs):
    decoder, (regions, tokens) = build("hard", expected_rate=0.0), inputs
    soft = build("soft")
    soft.set_weights([w.numpy() for w in decoder.trainable_weights])
    expected = decoder(regions, tokens)
    np.testing.assert_array_equal(expected, soft(regions, tokens))
    a, b = (decoder(regions, tokens, training=True) for _ in range(2))
    assert np.abs(a - b).max() > 1e-3
    half = build("hard", expected_rate=0.5)
    same = np.all(np.isclose(half(regions, tokens, training=True), expected), (2, 3))
    assert 0 < same.mean() < 1


def test_another_seed_draws_other_regions(inputs):
    regions, tokens = inputs
    found = []
    for seed in (3, 3, 4):
        keras.utils.set_random_seed(5)
        options = {"expected_rate": 0.0, "units": 8, "jit_compile": False}
        decoder = build_decoder("hard", 11, seed=seed, **options)
        found.append(decoder(regions, tokens, training=True))
    np.testing.assert_array_equal(found[0], found[1])
    assert np.abs(found[0] - found[2]).max() > 1e-6


def test_reinforce_follows_the_gradient_of_the_expected_log_probability(build, inputs):
    """With one word it can be summed over all choices of a region."""
    options = {"reward": 1.0, "entropy": 0.0, "expected_rate": 0.0}
    decoder, (regions, _) = build("hard", **options), inputs
    count, word = 6000, 5
    tokens = tf.ones([1, count, 1], tf.int32)
    weights = decoder.attention.trainable_weights
    # Any baseline has the same expectation; a near one has the least noise.
    expected = tf.nn.log_softmax(decoder(regions[:1], tokens[:, :1]))[0, 0, 0, word]
    decoder.baseline.assign(expected)
    with tf.GradientTape(persistent=True) as tape:
        prepared = decoder.prepare(regions[:1])
        states = decoder.states(prepared, tokens, training=True)
        log_probs = tf.nn.log_softmax(decoder.logits(states["hidden"]))[..., word]
        loss = decoder.auxiliary_loss(states, log_probs, tokens > 0, True) / count
        ((hidden, cell),) = prepared["initial"]
        (keys,) = prepared["keys"]
        _, shares = decoder.attention(hidden[:, None], keys, prepared["regions"])
        start = decoder.embed(tf.ones([R], tf.int32))
        inputs = tf.concat([start, prepared["regions"][0]], axis=1)
        state = [tf.repeat(x, R, axis=0) for x in (hidden, cell)]
        after, _ = decoder.lstm.step(inputs, state)
        each = tf.nn.log_softmax(decoder.logits(after))[:, word]
        exact = -tf.reduce_sum(shares[0, 0] * tf.stop_gradient(each))
    got, want = tape.gradient(loss, weights), tape.gradient(exact, weights)
    for a, b in zip(got, want, strict=True):
        np.testing.assert_allclose(a, b, atol=0.15 * np.abs(b).max())
    mean = 0.9 * expected + 0.1 * tf.reduce_mean(log_probs)
    np.testing.assert_allclose(decoder.baseline.numpy(), mean, rtol=1e-4)
