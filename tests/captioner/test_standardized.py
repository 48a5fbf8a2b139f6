import keras
import numpy as np
import pytest
import tensorflow as tf

from annotator.captioner.standardized import StandardizedModel

D = 3


class Model(StandardizedModel):
    def build(self, regions_shape):
        self.build_standardization(regions_shape)
        self.built = True

    def call(self, regions):
        return self.standardized(regions)


def build():
    model = Model(dtype="mixed_bfloat16")
    model.build((None, None, D))
    return model


def some_regions():
    rng = np.random.default_rng(1)
    return rng.uniform(50, 60, size=[2, 4, D]).astype(np.float32)


def test_nothing_changes_before_mean_and_deviation_are_set():
    regions = some_regions()
    np.testing.assert_array_equal(build()(regions), regions)


def test_channels_are_standardized_in_float32_and_constant_ones_only_centered():
    model, regions = build(), some_regions()
    mean, deviation = regions.mean((0, 1)), regions.std((0, 1))
    deviation[1] = 0.0
    model.standardize(mean, deviation)
    got = model(tf.constant(regions))
    assert got.dtype == tf.float32
    divisor = np.where(deviation > 0, deviation, 1)
    np.testing.assert_allclose(got, (regions - mean) / divisor, atol=1e-5)


def test_weights_are_saved_and_not_trained(tmp_path):
    model = build()
    model.standardize(np.arange(D), np.arange(1, D + 1))
    assert not model.trainable_weights
    model.save_weights(tmp_path / "m.weights.h5")
    copy = build()
    copy.load_weights(tmp_path / "m.weights.h5")
    np.testing.assert_array_equal(copy.region_mean, model.region_mean)
    np.testing.assert_array_equal(copy.region_deviation, model.region_deviation)
    assert keras.backend.standardize_dtype(copy.region_mean.dtype) == "float32"


def test_powers_are_taken_first_and_keep_the_sign():
    model = Model(region_power=0.5)
    model.build((None, None, 2))
    model.standardize(np.array([1.0, 0.0]), np.array([2.0, 1.0]))
    regions = np.array([[[9.0, -4.0], [0.0, 0.25]]], np.float16)
    np.testing.assert_allclose(model(regions), [[[1.0, -2.0], [-0.5, 0.5]]])


def test_the_gradient_of_a_root_is_finite_at_zero():
    model = Model(region_power=0.5)
    model.build((None, None, 2))
    regions = tf.constant([[[4.0, 0.0]]])
    with tf.GradientTape() as tape:
        tape.watch(regions)
        total = tf.reduce_sum(model(regions))
    np.testing.assert_allclose(tape.gradient(total, regions), [[[0.25, 0.0]]])


def test_a_power_that_is_not_positive_is_refused():
    with pytest.raises(ValueError, match="positive, got 0"):
        Model(region_power=0)
