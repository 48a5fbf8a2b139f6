"""Groups of weights move at their own rates, under one bound for the gradient."""

import keras
import numpy as np
import pytest
import tensorflow as tf

from annotator.config import Config
from annotator.training.captioner.optimizers import optimizers_for
from annotator.training.optimizers import GroupedOptimizer, _factors


def models():
    network = keras.Sequential(
        [keras.Input((4, 4, 3)), keras.layers.Conv2D(2, 3), keras.layers.Flatten()]
    )
    head = keras.Sequential(
        [keras.Input((5,)), keras.layers.Embedding(7, 3), keras.layers.Flatten(),
         keras.layers.Dense(2)]
    )  # fmt: skip
    return [head, network]


def step(settings, gradient=1.0):
    """How far each weight moves in the first step; the gradient is 1 everywhere."""
    both = models()
    config = Config.for_dataset("folder", **settings)
    make, _ = optimizers_for(config, 10)
    optimizer = GroupedOptimizer(
        both, make, config.clip_norm, config.dense_rate, config.convolution_rate
    )
    variables = optimizer.variables_to_train
    before = [v.numpy() for v in variables]
    optimizer.apply([gradient * tf.ones(v.shape) for v in variables])
    moved = [
        float(np.abs(v.numpy() - b).mean())
        for v, b in zip(variables, before, strict=True)
    ]
    names = [v.path.split("/")[-2].rsplit("_", 1)[0] for v in variables]
    return dict(zip(names, moved, strict=True)), optimizer


def test_published_rates_of_convolutions_dense_layers_and_the_rest():
    moved, optimizer = step({"schedule": "paper", "clip_norm": 1e9})
    assert optimizer.learning_rate == pytest.approx(0.1)
    by_kind = {name.split("_")[0]: distance for name, distance in moved.items()}
    # Nesterov momentum: the first step is 1.9 times the rate.
    assert by_kind["embedding"] == pytest.approx(1.9 * 0.1, rel=1e-5)
    assert by_kind["dense"] == pytest.approx(1.9 * 0.02, rel=1e-5)
    assert by_kind["conv2d"] == pytest.approx(1.9 * 0.01, rel=1e-5)


def test_published_rate_falls_to_a_tenth_every_ten_epochs():
    _, optimizer = step({"schedule": "paper"})
    for epoch, rate in ((0, 0.1), (9, 0.1), (10, 0.01), (19, 0.01), (20, 0.001)):
        for one in optimizer.optimizers:
            one.iterations.assign(10 * epoch + 1)  # 10 steps an epoch
        assert optimizer.learning_rate == pytest.approx(rate)


def test_the_bound_is_on_all_gradients_together():
    free, optimizer = step({"schedule": "paper", "clip_norm": 1e9})
    weights = sum(np.prod(v.shape) for v in optimizer.variables_to_train)
    bound, _ = step({"schedule": "paper", "clip_norm": 1.0})
    for name, distance in free.items():
        assert bound[name] == pytest.approx(distance / np.sqrt(weights), rel=1e-4)


def test_one_rate_is_one_optimizer_and_idle_weights_stay():
    head, _ = models()
    make, _ = optimizers_for(Config(weight_decay=0.0), 10)
    optimizer = GroupedOptimizer([head], make, 5.0)
    assert len(optimizer.optimizers) == 1
    before = head.get_weights()
    for _ in range(3):  # the rate of the very first step is 0: warm-up
        gradients = [tf.ones(v.shape) for v in head.trainable_variables]
        optimizer.apply([None, *gradients[1:]])
    np.testing.assert_array_equal(head.get_weights()[0], before[0])
    assert np.abs(head.get_weights()[1] - before[1]).min() > 0


def test_weights_that_join_late_begin_as_in_a_fresh_adam():
    """Beside others that have counted 1,000 steps, at the rate of step 1,000."""
    head, feedback = (
        keras.Sequential([keras.Input((1,)), keras.layers.Dense(1, use_bias=False)])
        for _ in range(2)
    )
    both = keras.Sequential([keras.Input((1,)), head, feedback])
    make, _ = optimizers_for(Config(epochs=10, weight_decay=0.1), 1000)

    def first_step(**late):
        """How far feedback's weight moves in step 1,000, and the optimizers."""
        both.set_weights([np.ones((1, 1))] * 2)
        optimizer = GroupedOptimizer([both], make, 1e9, **late)
        optimizer.apply([tf.ones((1, 1)), None], with_late=False)
        assert feedback.get_weights()[0].item() == 1.0
        optimizer.optimizers[0].iterations.assign(1000)
        optimizer.apply([tf.ones((1, 1)), tf.constant([[0.3]])])
        return 1.0 - feedback.get_weights()[0].item(), optimizer.optimizers

    moved, (of_head, of_feedback) = first_step(
        late=feedback.trainable_variables,
        make_late_optimizer=lambda factor: make(factor, 1000),
    )
    assert (int(of_head.iterations), int(of_feedback.iterations)) == (1001, 1)
    np.testing.assert_allclose(of_head.learning_rate, of_feedback.learning_rate)
    rate = float(make(1.0, 1000).learning_rate)
    assert rate == pytest.approx(1e-3)  # the warm-up ends there
    fresh, weight = (
        keras.optimizers.AdamW(rate, weight_decay=0.1),
        keras.Variable([1.0]),
    )
    fresh.apply([tf.constant([0.3])], [weight])
    assert moved == pytest.approx(1.0 - weight.numpy().item(), rel=1e-3)
    # In an optimizer that has counted before, the same step is longer.
    too_far, _ = first_step()
    assert too_far > 2 * moved


def test_late_weights_keep_the_rates_of_their_kind_and_the_order_of_the_others():
    head, network = models()
    dense = head.layers[-1]
    make, _ = optimizers_for(Config.for_dataset("folder", schedule="paper"), 10)
    optimizer = GroupedOptimizer(
        [head, network],
        make,
        1e9,
        0.2,
        0.1,
        late=dense.trainable_variables,
        make_late_optimizer=lambda factor: make(factor, 101),
    )
    rates = [float(each.learning_rate) for each in optimizer.optimizers]
    # Others, convolutions; dense layers, which join where the rate is a tenth.
    assert rates == pytest.approx([0.1, 0.01, 0.1 * 0.2 * 0.1], rel=1e-5)
    optimizer.apply([tf.ones(v.shape) for v in optimizer.variables_to_train], False)
    assert [int(each.iterations) for each in optimizer.optimizers] == [1, 1, 0]


def test_all_of_a_backbone_moves_as_its_convolutions():
    """ConvNeXt, for one, writes convolutions as dense layers."""
    backbone = keras.Sequential(
        [keras.Input((5,)), keras.layers.Dense(3), keras.layers.LayerNormalization()]
    )
    head = keras.Sequential([keras.Input((3,)), keras.layers.Dense(2)])
    factors = _factors([head, backbone], dense_rate=0.5, convolution_rate=0.01)
    assert factors == [0.5] * 2 + [0.01] * 4
