"""Weights that come with the package."""

import json

import keras
import ml_dtypes
import numpy as np
import pytest
import safetensors
import safetensors.numpy

from annotator.backbones.backbone import build_backbone
from annotator.backbones.imagenet import imagenet_weights, package_weights
from annotator.backbones.weights import BackboneWeightsError


@pytest.fixture(autouse=True)
def no_keras_file(tmp_path, monkeypatch):
    """A home of Keras without downloads, and no way to get any."""

    def fail(*args, **kwargs):
        raise OSError("no network")

    monkeypatch.setenv("KERAS_HOME", str(tmp_path))
    monkeypatch.setattr("keras.src.applications.vgg16.file_utils.get_file", fail)
    return tmp_path


def test_vgg16_needs_no_download():
    backbone = build_backbone("vgg16", "block5_conv3", precision="float32")
    arrays = safetensors.numpy.load_file(imagenet_weights("vgg16"))
    assert len(arrays) == 26
    for layer in backbone.layers:
        for weight in layer.weights:
            stored = arrays[f"{layer.name}/{weight.name}"]
            assert stored.dtype == ml_dtypes.bfloat16
            np.testing.assert_array_equal(weight.value, stored.astype(np.float32))
    # The first numbers of Keras's file, to the eighth bit.
    first = backbone.get_layer("block1_conv1").kernel.value.numpy()[0, 0, :, 0]
    np.testing.assert_allclose(first, [0.42947057, 0.55037946, 0.4800154], rtol=2**-8)


def test_it_says_whose_it_is():
    with safetensors.safe_open(imagenet_weights("vgg16"), "np") as file:
        about = json.loads(file.metadata()["about"])
    assert about["license"] == "CC BY 4.0" and "Oxford" in about["source"]


def test_batch_normalization_comes_back_weight_by_weight(tmp_path):
    """Its weights have an order that is not that of their names."""
    rng = np.random.default_rng(0)
    network = "resnet50", "conv2_block1_1_relu"
    backbone = build_backbone(*network, "random", "float32", mixed=True)
    for weight in backbone.weights:
        weight.assign(rng.uniform(0.5, 2.0, weight.shape))
    path = package_weights(backbone, tmp_path / "w.safetensors")
    again = build_backbone(*network, path, "float32", mixed=True)
    assert any(weight.name == "moving_variance" for weight in again.weights)
    for ours, theirs in zip(again.weights, backbone.weights, strict=True):
        expected = np.asarray(theirs.value, ml_dtypes.bfloat16).astype(np.float32)
        np.testing.assert_array_equal(ours.value, expected)


def test_bfloat16_is_the_same_as_with_keras_own_weights(tmp_path):
    """Rounding twice is rounding once."""
    rng = np.random.default_rng(0)
    given = keras.applications.VGG16(include_top=False, weights=None)
    for weight in given.weights:
        weight.assign(rng.normal(size=weight.shape))
    given.save(tmp_path / "full.keras")
    for weight in given.weights:
        weight.assign(np.float32(np.asarray(weight.value, ml_dtypes.bfloat16)))
    given.save(tmp_path / "rounded.keras")
    full, rounded = (
        build_backbone("vgg16", "block1_conv2", tmp_path / name, "bfloat16")
        for name in ("full.keras", "rounded.keras")
    )
    for one, other in zip(full.weights, rounded.weights, strict=True):
        np.testing.assert_array_equal(np.float32(one.value), np.float32(other.value))


def test_the_file_that_keras_has_is_preferred(no_keras_file):
    models = no_keras_file / "models"
    models.mkdir()
    name = "vgg16_weights_tf_dim_ordering_tf_kernels_notop.h5"
    (models / name).touch()
    assert imagenet_weights("vgg16") is None
    with pytest.raises(BackboneWeightsError, match="no network"):
        build_backbone("vgg16")


def test_other_networks_ask_keras():
    assert imagenet_weights("resnet50") is None


def test_a_network_does_not_take_anothers_packaged_file():
    path = imagenet_weights("vgg16")
    with pytest.raises(BackboneWeightsError, match="vgg19 takes Keras's files"):
        build_backbone("vgg19", weights=path)
