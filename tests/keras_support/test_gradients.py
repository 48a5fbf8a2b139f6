"""Gradients of our own are there for training, and left out of exports."""

import tensorflow as tf

from annotator.keras_support.gradients import custom_gradient, left_out


@custom_gradient
def doubled(values):
    return 2 * values, lambda upstream: 7 * upstream


def gradient_and_types():
    graph = tf.function(doubled, autograph=False, reduce_retracing=False)
    concrete = graph.get_concrete_function(tf.TensorSpec([3]))
    x = tf.constant([1.0, 2.0, 3.0])
    with tf.GradientTape() as tape:
        tape.watch(x)
        y = concrete(x)
    types = {operation.type for operation in concrete.graph.get_operations()}
    return y.numpy().tolist(), tape.gradient(y, x).numpy().tolist(), types


def test_the_gradient_is_ours_but_where_it_is_left_out():
    values, gradient, types = gradient_and_types()
    assert values == [2, 4, 6] and gradient == [7, 7, 7] and "IdentityN" in types
    with left_out():
        values, gradient, types = gradient_and_types()
    assert values == [2, 4, 6] and gradient == [2, 2, 2] and "IdentityN" not in types
    assert gradient_and_types()[1] == [7, 7, 7]
