"""The folded affine map against scikit-learn's two steps."""

import numpy as np
import pytest
from sklearn.decomposition import PCA
from sklearn.preprocessing import StandardScaler

from annotator.tagger.pooling.projection import fit_projection, projection_layer

RNG = np.random.default_rng(0)
DESCRIPTORS = (RNG.normal(size=(500, 12)) @ RNG.normal(size=(12, 12)) + 3).astype("f")


def test_equals_standardise_then_pca():
    original = DESCRIPTORS.copy()
    kernel, bias = fit_projection(DESCRIPTORS, 5)
    np.testing.assert_array_equal(DESCRIPTORS, original)
    scaled = StandardScaler().fit_transform(DESCRIPTORS.astype(np.float64))
    expected = PCA(5).fit_transform(scaled)
    actual = DESCRIPTORS @ kernel + bias
    # The sign of a component is arbitrary.
    signs = np.sign((actual * expected).sum(axis=0))
    np.testing.assert_allclose(actual * signs, expected, atol=1e-3)


def test_projection_of_training_descriptors_is_centred_and_uncorrelated():
    kernel, bias = fit_projection(DESCRIPTORS, 12)
    projected = (DESCRIPTORS @ kernel + bias).astype(np.float64)
    np.testing.assert_allclose(projected.mean(axis=0), 0, atol=1e-4)
    covariance = np.cov(projected.T, bias=True)
    np.testing.assert_allclose(covariance - np.diag(np.diag(covariance)), 0, atol=1e-3)
    # Standardized: the variances add up to the number of dimensions.
    assert np.trace(covariance) == pytest.approx(12, rel=1e-3)


def test_constant_dimension_is_defined():
    descriptors = DESCRIPTORS.copy()
    descriptors[:, 4] = 7.0
    kernel, bias = fit_projection(descriptors, 3)
    assert np.isfinite(kernel).all() and np.isfinite(bias).all()


def test_layer_takes_stored_half_precision():
    kernel, bias = fit_projection(DESCRIPTORS, 4)
    half = DESCRIPTORS.astype(np.float16)
    projected = projection_layer(kernel, bias)(half[None])
    expected = half.astype(np.float32) @ kernel + bias
    np.testing.assert_allclose(projected[0], expected, rtol=1e-5, atol=1e-4)


@pytest.mark.parametrize("components", [0, 13])
def test_components_out_of_range(components):
    with pytest.raises(ValueError, match=f"between 1 and 12.*got {components}"):
        fit_projection(DESCRIPTORS, components)
