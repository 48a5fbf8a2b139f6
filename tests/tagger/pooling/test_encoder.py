"""The encoder against NumPy, and powers of descriptors before all else."""

import keras
import numpy as np
import pytest
import tensorflow as tf

from annotator.tagger.pooling import encoder
from annotator.tagger.pooling.power import SignedPower

RNG = np.random.default_rng(0)
DESCRIPTORS = RNG.exponential(size=(600, 12)).astype(np.float16) ** 3
REGIONS = np.concatenate([DESCRIPTORS[:30], -DESCRIPTORS[30:40]]).reshape(4, 10, 12)


def fit(power):
    fitted = encoder.fit_encoder(DESCRIPTORS.astype(np.float32), 6, 5, power=power)
    pooling = encoder.vector_pooling(("power", "l2"), 4, 6, fitted["codebook"])
    model = encoder.build_encoder(
        fitted["kernel"], fitted["bias"], pooling, power=power
    )
    return fitted, model


def test_powers_by_hand():
    layer = SignedPower(0.5)
    np.testing.assert_allclose(layer(np.float32([[[4, 0, -9]]])), [[[2, 0, -3]]])
    np.testing.assert_array_equal(SignedPower(1.0)(REGIONS), REGIONS)
    values = tf.constant([[[4.0, 0.0]]])
    with tf.GradientTape() as tape:
        tape.watch(values)
        total = tf.reduce_sum(layer(values))
    np.testing.assert_array_equal(tape.gradient(total, values), [[[0.25, 0]]])
    with pytest.raises(ValueError, match="positive, got 0"):
        SignedPower(0)


def test_a_power_is_taken_before_all_else(tmp_path):
    fitted, model = fit(0.5)
    roots = np.sqrt(DESCRIPTORS.astype(np.float64))
    # Standardized and projected, what was fitted has no mean and is not correlated.
    projected = roots @ fitted["kernel"] + fitted["bias"]
    np.testing.assert_allclose(projected.mean(axis=0), 0, atol=1e-5)
    covariance = np.cov(projected.T)
    off = covariance - np.diag(np.diag(covariance))
    np.testing.assert_allclose(off, 0, atol=1e-4)
    # The same as roots that another encoder reads as they are.
    pooling = model.layers[-1]
    plain = encoder.build_encoder(fitted["kernel"], fitted["bias"], pooling)
    signed = np.sign(REGIONS) * np.sqrt(np.abs(REGIONS.astype(np.float32)))
    assert len(model.layers) == len(plain.layers) + 1
    expected = pooling(plain.layers[0](signed))
    np.testing.assert_allclose(model(REGIONS), expected, atol=1e-6)
    model.save(tmp_path / "m.keras")
    copy = keras.saving.load_model(tmp_path / "m.keras")
    np.testing.assert_array_equal(copy(REGIONS), model(REGIONS))
