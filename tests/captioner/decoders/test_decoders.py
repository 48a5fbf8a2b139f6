import keras
import numpy as np
import pytest
import tensorflow as tf

from annotator.captioner.decoders.brnn import BrnnDecoder
from annotator.captioner.decoders.hard import HardDecoder
from annotator.captioner.decoders.log_bilinear import LogBilinearDecoder
from annotator.captioner.decoders.nic import NicDecoder
from annotator.captioner.decoders.registry import build_decoder, decoder_names
from annotator.captioner.decoders.soft import SoftDecoder
from annotator.captioner.decoders.stacked import StackedDecoder

B, C, T, R, D, V, H = 2, 3, 5, 4, 6, 11, 8
SIZES = {"units": H, "attention_units": 7, "jit_compile": False}
DECODERS = {
    "soft": lambda **kwargs: SoftDecoder(V, **SIZES, **kwargs),
    "two layers": lambda **kwargs: StackedDecoder(V, layers=2, **SIZES, **kwargs),
    "six layers": lambda **kwargs: StackedDecoder(V, layers=6, **SIZES, **kwargs),
    "vector": lambda **kwargs: StackedDecoder(
        V, layers=2, condition="vector", **SIZES, **kwargs
    ),
    "tied": lambda **kwargs: StackedDecoder(
        V, layers=3, tied=True, embedding_units=5, **SIZES, **kwargs
    ),
    "hard": lambda **kwargs: HardDecoder(V, **SIZES, **kwargs),
    "nic": lambda **kwargs: NicDecoder(V, **SIZES, **kwargs),
    "brnn": lambda **kwargs: BrnnDecoder(V, **SIZES, **kwargs),
    "log bilinear": lambda **kwargs: LogBilinearDecoder(V, 3, **SIZES, **kwargs),
}


def build(name, **kwargs):
    keras.utils.set_random_seed(5)
    decoder = DECODERS[name](**kwargs)
    decoder.build((None, None, D))
    for weight in decoder.trainable_weights:  # no zeros that hide an error
        weight.assign_add(tf.random.normal(weight.shape, stddev=0.3))
    return decoder


def some_inputs(seed=6):
    rng = np.random.default_rng(seed)
    regions = tf.constant(rng.uniform(size=[B, R, D]), tf.float32)
    return regions, tf.constant(rng.integers(4, V, [B, C, T]), tf.int32)


@pytest.mark.parametrize("name", DECODERS)
def test_shapes_dtypes_and_attention(name):
    decoder, (regions, tokens) = build(name), some_inputs()
    logits, attention = tf.function(decoder, autograph=False)(
        regions, tokens, return_attention=True
    )
    assert logits.shape == (B, C, T, V) and logits.dtype == tf.float32
    assert attention.shape == (B, C, T, decoder.attending_layers, R)
    if decoder.attending_layers:
        np.testing.assert_allclose(tf.reduce_sum(attention, -1), 1, atol=1e-5)


@pytest.mark.parametrize("name", DECODERS)
def test_dropout_only_in_training(name):
    decoder, inputs = build(name, dropout=0.5), some_inputs()
    once, again = (decoder(*inputs, training=True) for _ in range(2))
    assert np.abs(once - again).max() > 1e-2
    still = decoder(*inputs)
    if name != "hard":  # it draws its regions
        np.testing.assert_array_equal(still, decoder(*inputs))
    assert np.abs(still - once).max() > 1e-2


@pytest.mark.parametrize("name", DECODERS)
@pytest.mark.parametrize("weighted", [False, True])
def test_steps_equal_the_sequence(name, weighted):
    decoder, (regions, tokens) = build(name), some_inputs()
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


def sigmoid(x):
    return 1 / (1 + np.exp(-x))


def lstm_step(layer, x, h, c):
    kernel, recurrent, bias = (w.numpy() for w in layer.cell.weights)
    i, f, g, o = np.split(x @ kernel + h @ recurrent + bias, 4)
    c = sigmoid(f) * c + sigmoid(i) * np.tanh(g)
    return sigmoid(o) * np.tanh(c), c


def attend(layer, regions, h):
    keys = regions @ layer.region_projection.kernel.numpy()
    query = h @ layer.query_projection.kernel.numpy()
    query = query + layer.query_projection.bias.numpy()
    scores = np.tanh(keys + query) @ layer.score_weights.numpy()
    weights = np.exp(scores) / np.exp(scores).sum()
    return weights @ regions


def dense(layer, x):
    return x @ layer.kernel.numpy() + layer.bias.numpy()


def region_vector(layer, regions):
    """The equations of `RegionVector`, region by region and center by center."""
    regions, centers = regions @ layer.projection.kernel.numpy(), layer.centers.numpy()
    vectors = np.zeros_like(centers)
    for x in regions:
        shares = np.exp(dense(layer.assignment, x))
        for k, share in enumerate(shares / shares.sum()):
            vectors[k] += share * (x - centers[k])
    vectors /= np.linalg.norm(vectors, axis=1, keepdims=True)
    return vectors.ravel() * np.sqrt(centers.shape[1] / len(centers))


def attention_states(decoder, regions, tokens):
    soft = isinstance(decoder, SoftDecoder)
    lstms = [decoder.lstm] if soft else decoder.lstms
    k = len(lstms)
    seen = regions.mean(0)
    if decoder.region_vector is not None:
        seen = np.concatenate([seen, region_vector(decoder.region_vector, regions)])
    initial = np.tanh(dense(decoder.initial_projection, seen))
    h, c = list(initial.reshape(2 * k, H)[::2]), list(initial.reshape(2 * k, H)[1::2])
    for word in decoder.embedding.embeddings.numpy()[tokens]:
        if soft:
            x = np.concatenate([word, attend(decoder.attention, regions, h[0])])
            h[0], c[0] = lstm_step(lstms[0], x, h[0], c[0])
        else:
            h[0], c[0] = lstm_step(lstms[0], word, h[0], c[0])
        for j in range(1, k):
            context = attend(decoder.attentions[j - 1], regions, h[j - 1])
            x = np.concatenate([h[j - 1], context])
            h[j], c[j] = lstm_step(lstms[j], x, h[j], c[j])
        yield h[-1]


def nic_states(decoder, regions, tokens):
    image = dense(decoder.image_projection, regions.mean(0))
    h, c = lstm_step(decoder.lstm, image, np.zeros(H), np.zeros(H))
    for word in decoder.embedding.embeddings.numpy()[tokens]:
        h, c = lstm_step(decoder.lstm, word, h, c)
        yield h


def brnn_states(decoder, regions, tokens):
    h, bias = np.zeros(H), regions.mean(0) @ decoder.image_projection.kernel.numpy()
    for word in decoder.embedding.embeddings.numpy()[tokens]:
        h = h @ decoder.recurrent_projection.kernel.numpy() + bias
        h = np.maximum(0, h + dense(decoder.word_projection, word))
        bias = 0
        yield h


def log_bilinear_states(decoder, regions, tokens):
    image = dense(decoder.image_projection, regions.mean(0))
    matrices = np.split(decoder.word_projection.kernel.numpy(), 3)
    vectors = decoder.embedding.embeddings.numpy()[[1, 1, *tokens]]
    for t in range(len(tokens)):
        yield sum(vectors[t + i] @ matrices[i] for i in range(3)) + image


def recompute(decoder, regions, tokens):
    """The papers' equations for one image and one caption, word by word."""
    by_type = {
        NicDecoder: nic_states,
        BrnnDecoder: brnn_states,
        LogBilinearDecoder: log_bilinear_states,
    }
    states = by_type.get(type(decoder), attention_states)
    hidden = np.stack(list(states(decoder, regions, tokens)))
    if not decoder.tied:
        return dense(decoder.output_projection, hidden)
    if decoder.bridge is not None:
        hidden = hidden @ decoder.bridge.kernel.numpy()
    logits = hidden @ decoder.embedding.embeddings.numpy().T
    return logits + decoder.output_bias.numpy()


@pytest.mark.parametrize("name", DECODERS)
def test_equals_a_recomputation_in_numpy(name):
    decoder, (regions, tokens) = build(name), some_inputs()
    logits = decoder(regions, tokens)
    for b in range(B):
        for c in range(C):
            want = recompute(decoder, regions[b].numpy(), tokens[b, c].numpy())
            np.testing.assert_allclose(logits[b, c], want, atol=1e-5)


@pytest.mark.parametrize("name", DECODERS)
def test_a_word_changes_no_earlier_logit(name):
    decoder, (regions, tokens) = build(name), some_inputs()
    changed = tf.concat([tokens[..., :3], tokens[..., 3:] - 4], -1)
    before, after = decoder(regions, tokens), decoder(regions, changed)
    np.testing.assert_array_equal(before[:, :, :3], after[:, :, :3])
    assert np.abs(before - after)[:, :, 3].max() > 1e-5


@pytest.mark.parametrize("name", DECODERS)
def test_padding_regions_change_nothing(name):
    decoder, (regions, tokens) = build(name), some_inputs()
    padded = tf.concat([regions, 9 * tf.ones([B, 2, D])], axis=1)
    mask = tf.constant([[True] * R + [False] * 2] * B)
    logits, attention = decoder(padded, tokens, mask, return_attention=True)
    np.testing.assert_allclose(logits, decoder(regions, tokens), atol=1e-5)
    np.testing.assert_array_equal(attention[..., R:], 0)


@pytest.mark.parametrize("name", DECODERS)
def test_reweighing_equals_preparing_other_regions(name):
    decoder, (regions, _) = build(name), some_inputs()
    factors = tf.random.stateless_uniform([B, R], [2, 2], 0.0, 3.0)
    prepared = decoder.prepare(regions)
    got = decoder.reweigh(prepared, factors)
    want = decoder.prepare(regions * factors[..., None])
    for a, b in zip(tf.nest.flatten(got), tf.nest.flatten(want), strict=True):
        if a is not None:
            np.testing.assert_allclose(a, b, atol=1e-5)


@pytest.mark.parametrize("name", DECODERS)
def test_gradients_reach_every_weight(name):
    decoder, (regions, tokens) = build(name, dropout=0.1), some_inputs()
    with tf.GradientTape() as tape:
        logits = decoder(regions, tokens, training=True)
        loss = tf.reduce_sum(tf.nn.log_softmax(logits)[..., 0])
    grads = tape.gradient(loss, decoder.trainable_variables)
    for variable, grad in zip(decoder.trainable_variables, grads, strict=True):
        grad = tf.convert_to_tensor(grad)
        assert np.abs(grad).max() > 0, variable.path


@pytest.mark.parametrize("name", DECODERS)
def test_config_and_mixed_precision(name):
    decoder, (regions, tokens) = build(name), some_inputs()
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
def test_dropout_of_contexts_drops_nothing_else(name):
    decoder, (regions, tokens) = build(name, context_dropout=0.5), some_inputs()
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


def test_xla_gives_the_same_numbers():
    (regions, tokens), plain = some_inputs(), build("two layers")
    compiled = StackedDecoder.from_config({**plain.get_config(), "jit_compile": True})
    compiled.build((None, None, D))
    compiled.set_weights(plain.get_weights())
    np.testing.assert_allclose(
        tf.function(compiled, autograph=False)(regions, tokens),
        plain(regions, tokens),
        atol=1e-5,
    )


def test_hard_attention_samples_in_training_only():
    decoder, (regions, tokens) = build("hard", expected_rate=0.0), some_inputs()
    soft = SoftDecoder(V, **SIZES)
    soft.build((None, None, D))
    soft.set_weights([w.numpy() for w in decoder.trainable_weights])
    expected = decoder(regions, tokens)
    np.testing.assert_array_equal(expected, soft(regions, tokens))
    a, b = (decoder(regions, tokens, training=True) for _ in range(2))
    assert np.abs(a - b).max() > 1e-3
    half = build("hard", expected_rate=0.5)
    same = np.all(np.isclose(half(regions, tokens, training=True), expected), (2, 3))
    assert 0 < same.mean() < 1


def test_another_seed_draws_other_regions():
    regions, tokens = some_inputs()
    found = []
    for seed in (3, 3, 4):
        keras.utils.set_random_seed(5)
        options = {"expected_rate": 0.0, **SIZES}
        decoder = build_decoder("hard", V, seed=seed, **options)
        found.append(decoder(regions, tokens, training=True))
    np.testing.assert_array_equal(found[0], found[1])
    assert np.abs(found[0] - found[2]).max() > 1e-6


def test_reinforce_follows_the_gradient_of_the_expected_log_probability():
    """With one word it can be summed over all choices of a region."""
    options = {"reward": 1.0, "entropy": 0.0, "expected_rate": 0.0}
    decoder, (regions, _) = build("hard", **options), some_inputs()
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


def test_decoders_by_name():
    for name in decoder_names():
        assert build_decoder(name, V, units=H).vocabulary_size == V
    assert build_decoder("stacked", V, layers=3).layers == 3
    assert type(build_decoder("stacked", V, layers=1)) is SoftDecoder
    assert build_decoder("hard", V).seed == 0
    with pytest.raises(ValueError, match="no decoder 'lstm'"):
        build_decoder("lstm", V)
