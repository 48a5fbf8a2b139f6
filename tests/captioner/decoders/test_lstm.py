import keras
import numpy as np
import tensorflow as tf

from annotator.captioner.decoders.lstm import LSTM

N, T, D, H = 3, 5, 4, 6


def build(dtype=None):
    keras.utils.set_random_seed(2)
    layer = LSTM(H, dtype=dtype)
    layer.build((None, None, D))
    layer.cell.bias.assign(tf.random.normal([4 * H]))
    return layer


def some_inputs():
    rng = np.random.default_rng(3)
    arrays = [rng.normal(size=s) for s in ([N, T, D], [N, H], [N, H])]
    return [tf.constant(a, tf.float32) for a in arrays]


def test_equals_a_recomputation_in_numpy():
    layer = build()
    x, h, c = (a.numpy().astype(np.float64) for a in some_inputs())
    kernel, recurrent, bias = (w.numpy() for w in layer.cell.weights)
    got = tf.function(layer, autograph=False)(
        *some_inputs()[:1], some_inputs()[1:]
    ).numpy()

    def sigmoid(a):
        return 1 / (1 + np.exp(-a))

    for t in range(T):
        i, f, g, o = np.split(x[:, t] @ kernel + h @ recurrent + bias, 4, axis=1)
        c = sigmoid(f) * c + sigmoid(i) * np.tanh(g)
        h = sigmoid(o) * np.tanh(c)
        np.testing.assert_allclose(got[:, t], h, atol=1e-5)


def test_steps_equal_the_sequence():
    layer, (x, *state) = build(), some_inputs()
    sequence = layer(x, state)
    for t in range(T):
        state = layer.step(x[:, t], state)
        np.testing.assert_allclose(sequence[:, t], state[0], atol=1e-6)


def test_values_and_gradients_equal_those_of_keras():
    layer, (x, h, c) = build(), some_inputs()
    reference = keras.layers.RNN(layer.cell, return_sequences=True)
    upstream = tf.random.stateless_normal([N, T, H], [4, 5])
    weights = [weight.value for weight in layer.cell.trainable_weights]
    with tf.GradientTape(persistent=True) as tape:
        tape.watch([x, h, c])
        got, want = layer(x, (h, c)), reference(x, initial_state=[h, c])
    np.testing.assert_allclose(got, want, atol=1e-5)
    sources = [x, h, c, *weights]
    for a, b in zip(
        tape.gradient(got, sources, upstream),
        tape.gradient(want, sources, upstream),
        strict=True,
    ):
        np.testing.assert_allclose(a, b, atol=1e-4)


def test_mixed_precision_keeps_the_cell_in_float32():
    layer, (x, h, c) = build("mixed_bfloat16"), some_inputs()
    hidden, cell = layer.step(x[:, 0], (tf.cast(h, tf.bfloat16), c))
    assert hidden.dtype == tf.bfloat16 and cell.dtype == tf.float32
    sequence = layer(x, (tf.cast(h, tf.bfloat16), c))
    np.testing.assert_array_equal(sequence[:, 0], hidden)
    exact = build()(x, (h, c))
    np.testing.assert_allclose(tf.cast(sequence, tf.float32), exact, atol=0.05)
