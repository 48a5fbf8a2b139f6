import keras
import numpy as np
import pytest
import tensorflow as tf

from annotator.captioner.decoders.additive_attention import AdditiveAttention

B, Q, R, A, H, D = 2, 11, 4, 5, 6, 7


@pytest.fixture
def inputs():
    rng = np.random.default_rng(0)
    return (
        tf.constant(rng.normal(size=[B, Q, H]), tf.float32),
        tf.constant(rng.normal(size=[B, R, D]), tf.float32),
        tf.constant(rng.uniform(0.2, 2, size=[B, Q, R]), tf.float32),
    )


def build(jit_compile):
    keras.utils.set_random_seed(1)
    layer = AdditiveAttention(A, jit_compile=jit_compile)
    layer.build((None, None, H), (None, None, D))
    layer.query_projection.bias.assign(tf.linspace(-0.5, 0.5, A))
    return layer


def recompute(layer, queries, regions, region_weights=None, mask=None):
    """Bahdanau's formulas, one number at a time."""
    w_r = layer.region_projection.kernel.numpy().astype(np.float64)
    w_q = layer.query_projection.kernel.numpy().astype(np.float64)
    bias, w = layer.query_projection.bias.numpy(), layer.score_weights.numpy()
    context, weights = np.zeros([B, Q, D]), np.zeros([B, Q, R])
    for b in range(B):
        for q in range(Q):
            factors = np.ones(R) if region_weights is None else region_weights[b, q]
            seen = [r for r in range(R) if mask is None or mask[b, r]]
            v = {r: factors[r] * regions[b, r].numpy() for r in seen}
            joint = queries[b, q].numpy() @ w_q + bias
            exp = {r: np.exp(w @ np.tanh(v[r] @ w_r + joint)) for r in seen}
            for r in seen:
                weights[b, q, r] = exp[r] / sum(exp.values())
            context[b, q] = sum(weights[b, q, r] * v[r] for r in seen)
    return context, weights


@pytest.mark.parametrize("jit_compile", [False, True])
@pytest.mark.parametrize("weighted", [False, True])
def test_equals_the_formulas(inputs, jit_compile, weighted):
    queries, regions, factors = inputs
    factors = factors if weighted else None
    mask = np.array([[True] * R, [True, False, True, False]])
    layer = build(jit_compile)
    keys = layer.project(regions)
    got = layer(queries, keys, regions, region_mask=mask, region_weights=factors)
    want = recompute(
        layer, queries, regions, None if factors is None else factors.numpy(), mask
    )
    for a, b in zip(got, want, strict=True):
        np.testing.assert_allclose(a, b, atol=1e-6)


@pytest.mark.parametrize("jit_compile", [False, True])
@pytest.mark.parametrize("weighted", [False, True])
def test_gradients_equal_automatic_ones(inputs, jit_compile, weighted):
    queries, regions, factors = inputs
    layer = build(jit_compile)
    keys = layer.project(regions)
    rest = [factors] if weighted else []
    upstream = tf.random.stateless_normal([B, Q, R], [1, 2])

    def plainly(queries, keys, factors=None):
        scaled = keys[:, None] * (1.0 if factors is None else factors[..., None])
        projected = layer.query_projection(queries)
        values = tf.tanh(scaled + projected[:, :, None])
        return tf.reduce_sum(values * layer.score_weights.value, -1)

    def scores_and_gradients(function):
        sources = [queries, keys, *rest]
        with tf.GradientTape() as tape:
            tape.watch(sources)
            scores = function(*sources)
        sources.append(layer.score_weights.value)
        return scores, *tape.gradient(scores, sources, upstream)

    got, want = map(scores_and_gradients, (layer.scores, plainly))
    for one, other in zip(got, want, strict=True):
        np.testing.assert_allclose(one, other, atol=1e-5)


def test_layers_of_all_sizes_train_in_one_process():
    """The compiled functions are shared, and what one layer traced suits the next."""

    @tf.function(reduce_retracing=True, autograph=False)
    def step(layer, queries, keys):
        with tf.GradientTape() as tape:
            tape.watch(keys)
            loss = tf.reduce_sum(layer.scores(queries, keys) ** 2)
        return tape.gradient(loss, [keys, layer.score_weights])

    for units, rows in ((3, 2), (5, 1), (6, 4), (3, 3)):
        layer = AdditiveAttention(units)
        layer.build((None, None, H), (None, None, D))
        keys = tf.ones([rows, R, units])
        of_keys, of_weights = step(layer, tf.ones([rows, Q, H]), keys)
        assert of_keys.shape == keys.shape and of_weights.shape == (units,)
        assert np.abs(of_keys).min() > 0


@pytest.mark.parametrize("of_queries, of_keys", [(1e4, 1), (1, 1e4)])
def test_extreme_scores_are_right(inputs, of_queries, of_keys):
    queries, regions, _ = inputs
    compiled, plain = build(True), build(False)
    plain.set_weights(compiled.get_weights())
    keys = of_keys * compiled.project(regions)
    scores = compiled.scores(of_queries * queries, keys)
    want = plain.scores(of_queries * queries, keys)
    assert np.abs(want).max() > 0
    np.testing.assert_allclose(scores, want, atol=1e-5)


def test_scores_stay_finite_where_all_is_extreme(inputs):
    queries, regions, _ = inputs
    layer = build(True)
    scores = layer.scores(1e4 * queries, 1e4 * layer.project(regions))
    assert np.all(np.isfinite(scores))
    assert np.abs(scores).max() <= np.abs(layer.score_weights.numpy()).sum() + 1e-4


def test_a_single_region_gets_everything(inputs):
    queries, regions, _ = inputs
    layer = build(False)
    one = regions[:, :1]
    context, weights = layer(queries, layer.project(one), one)
    np.testing.assert_allclose(weights, 1)
    np.testing.assert_allclose(context, tf.repeat(one, Q, axis=1), atol=1e-6)


def test_config_and_mixed_precision(inputs):
    queries, regions, _ = inputs
    layer = AdditiveAttention(A, dtype="mixed_bfloat16", jit_compile=False)
    layer = AdditiveAttention.from_config(layer.get_config())
    layer.build((None, None, H), (None, None, D))
    regions = tf.cast(regions, tf.bfloat16)
    context, weights = layer(queries, layer.project(regions), regions)
    assert (layer.units, layer.jit_compile) == (A, False)
    assert context.dtype == tf.bfloat16 and weights.dtype == tf.float32
