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


def test_all_of_a_backbone_moves_as_its_convolutions():
    """ConvNeXt, for one, writes convolutions as dense layers."""
    backbone = keras.Sequential(
        [keras.Input((5,)), keras.layers.Dense(3), keras.layers.LayerNormalization()]
    )
    head = keras.Sequential([keras.Input((3,)), keras.layers.Dense(2)])
    factors = _factors([head, backbone], dense_rate=0.5, convolution_rate=0.01)
    assert factors == [0.5] * 2 + [0.01] * 4
