"""What every decoder does: shapes, steps, masks, gradients, precision, names."""

import numpy as np
import pytest
import tensorflow as tf

from annotator.captioner.decoders.registry import build_decoder, decoder_names
from annotator.captioner.decoders.soft import SoftDecoder
from annotator.captioner.decoders.stacked import StackedDecoder

B, C, T, R, D, V = 2, 3, 5, 4, 6, 11  # as in conftest.py


def test_shapes_dtypes_and_attention(name, build, inputs):
    decoder, (regions, tokens) = build(name), inputs
    logits, attention = tf.function(decoder, autograph=False)(
        regions, tokens, return_attention=True
    )
    assert logits.shape == (B, C, T, V) and logits.dtype == tf.float32
    assert attention.shape == (B, C, T, decoder.attending_layers, R)
    if decoder.attending_layers:
        np.testing.assert_allclose(tf.reduce_sum(attention, -1), 1, atol=1e-5)


def test_dropout_only_in_training(name, build, inputs):
    decoder, inputs = build(name, dropout=0.5), inputs
    once, again = (decoder(*inputs, training=True) for _ in range(2))
    assert np.abs(once - again).max() > 1e-2
    still = decoder(*inputs)
    if name != "hard":  # it draws its regions
        np.testing.assert_array_equal(still, decoder(*inputs))
    assert np.abs(still - once).max() > 1e-2


@pytest.mark.parametrize("weighted", [False, True])
def test_steps_equal_the_sequence(name, weighted, build, inputs):
    decoder, (regions, tokens) = build(name), inputs
    mask = tf.constant([[True] * R, [True, True, False, True]])
    prepared = decoder.prepare(regions, mask)
    factors = tf.random.stateless_uniform([B, C, T, R], [1, 1]) if weighted else None
    states = decoder.states(prepared, tokens, factors)
    logits = decoder.logits(states["hidden"])
    rows = tf.reshape(tokens, [B * C, T])
    state = tf.nest.map_structure(lambda x: tf.repeat(x, C, 0), prepared["initial"])
    for t in range(T):
        now = None if factors is None else tf.reshape(factors[:, :, t], [B * C, R])
        hidden, state, attention = decoder.step_states(rows[:, t], state, prepared, now)
        np.testing.assert_allclose(
            tf.reshape(logits[:, :, t], [B * C, V]), decoder.logits(hidden), atol=1e-5
        )
        np.testing.assert_allclose(
            tf.reshape(states["attention_weights"][:, :, t], attention.shape),
            attention,
            atol=1e-5,
        )


def test_a_word_changes_no_earlier_logit(name, build, inputs):
    decoder, (regions, tokens) = build(name), inputs
    changed = tf.concat([tokens[..., :3], tokens[..., 3:] - 4], -1)
    before, after = decoder(regions, tokens), decoder(regions, changed)
    np.testing.assert_array_equal(before[:, :, :3], after[:, :, :3])
    assert np.abs(before - after)[:, :, 3].max() > 1e-5


def test_padding_regions_change_nothing(name, build, inputs):
    decoder, (regions, tokens) = build(name), inputs
    padded = tf.concat([regions, 9 * tf.ones([B, 2, D])], axis=1)
    mask = tf.constant([[True] * R + [False] * 2] * B)
    logits, attention = decoder(padded, tokens, mask, return_attention=True)
    np.testing.assert_allclose(logits, decoder(regions, tokens), atol=1e-5)
    np.testing.assert_array_equal(attention[..., R:], 0)


def test_reweighing_equals_preparing_other_regions(name, build, inputs):
    decoder, (regions, _) = build(name), inputs
    factors = tf.random.stateless_uniform([B, R], [2, 2], 0.0, 3.0)
    prepared = decoder.prepare(regions)
    got = decoder.reweigh(prepared, factors)
    want = decoder.prepare(regions * factors[..., None])
    for a, b in zip(tf.nest.flatten(got), tf.nest.flatten(want), strict=True):
        if a is not None:
            np.testing.assert_allclose(a, b, atol=1e-5)


def test_gradients_reach_every_weight(name, build, inputs):
    decoder, (regions, tokens) = build(name, dropout=0.1), inputs
    with tf.GradientTape() as tape:
        logits = decoder(regions, tokens, training=True)
        loss = tf.reduce_sum(tf.nn.log_softmax(logits)[..., 0])
    grads = tape.gradient(loss, decoder.trainable_variables)
    for variable, grad in zip(decoder.trainable_variables, grads, strict=True):
        grad = tf.convert_to_tensor(grad)
        assert np.abs(grad).max() > 0, variable.path


def test_config_and_mixed_precision(name, build, inputs):
    decoder, (regions, tokens) = build(name), inputs
    exact = decoder(regions, tokens)
    config = {**decoder.get_config(), "dtype": "mixed_bfloat16"}
    mixed = type(decoder).from_config(config)
    mixed.build((None, None, D))
    mixed.set_weights(decoder.get_weights())
    logits = mixed(regions, tokens)
    assert logits.dtype == tf.float32 and config["jit_compile"] is False
    assert 0 < np.abs(logits - exact).max() < 0.2
    prepared = mixed.prepare(regions)
    hidden, _, _ = mixed.step_states(tokens[:, 0, 0], prepared["initial"], prepared)
    np.testing.assert_allclose(logits[:, 0, 0], mixed.logits(hidden), atol=0.02)


@pytest.mark.parametrize("name", ["soft", "two layers"])
def test_dropout_of_contexts_drops_nothing_else(name, build, inputs):
    decoder, (regions, tokens) = build(name, context_dropout=0.5), inputs
    without = build(name)
    without.set_weights(decoder.get_weights())
    still = without(regions, tokens)
    np.testing.assert_array_equal(decoder(regions, tokens), still)
    dropped = tf.function(decoder, autograph=False)(regions, tokens, training=True)
    assert np.abs(dropped - decoder(regions, tokens, training=True)).max() > 1e-3
    # The contexts of regions that are 0 are 0 already.
    nothing = tf.zeros_like(regions)
    np.testing.assert_allclose(
        decoder(nothing, tokens, training=True), decoder(nothing, tokens), atol=1e-6
    )


def test_other_conditions_are_refused():
    with pytest.raises(ValueError, match="condition='mean': .*none, vector"):
        SoftDecoder(V, condition="mean")


@pytest.mark.parametrize("layers", [1, 7])
def test_depth_out_of_range_is_refused(layers):
    with pytest.raises(ValueError, match=f"layers={layers}"):
        StackedDecoder(V, layers=layers)


def test_xla_gives_the_same_numbers(build, inputs):
    (regions, tokens), plain = inputs, build("two layers")
    compiled = StackedDecoder.from_config({**plain.get_config(), "jit_compile": True})
    compiled.build((None, None, D))
    compiled.set_weights(plain.get_weights())
    np.testing.assert_allclose(
        tf.function(compiled, autograph=False)(regions, tokens),
        plain(regions, tokens),
        atol=1e-5,
    )


def test_decoders_by_name():
    for name in decoder_names():
        assert build_decoder(name, V, units=8).vocabulary_size == V
    assert build_decoder("stacked", V, layers=3).layers == 3
    assert type(build_decoder("stacked", V, layers=1)) is SoftDecoder
    assert build_decoder("hard", V).seed == 0
    with pytest.raises(ValueError, match="no decoder 'lstm'"):
        build_decoder("lstm", V)
