"""Every weights file that is or is not accepted, random weights, fingerprints."""

import hashlib

import h5py
import keras
import numpy as np
import pytest
import tensorflow as tf

from annotator.backbones.backbone import build_backbone
from annotator.backbones.weights import (
    BackboneWeightsError,
    _assign,
    weights_fingerprint,
)

PIXELS = np.random.default_rng(0).uniform(0, 255, (2, 32, 32, 3)).astype(np.float32)


def build(name="vgg16", taps=None, weights="random", precision="float32", **options):
    return build_backbone(name, taps, weights, precision, **options)


@pytest.fixture(scope="module")
def reference():
    """keras.applications' own VGG16 with weights of ours, and its features."""
    model = keras.applications.VGG16(include_top=False, weights=None)
    rng = np.random.default_rng(1)
    for layer in model.layers:
        layer.set_weights(
            [rng.normal(0, 0.04, w.shape).astype(np.float32) for w in layer.weights]
        )
    tap = keras.Model(model.input, model.get_layer("block5_conv2").output)
    expected = tap(keras.applications.vgg16.preprocess_input(PIXELS.copy())).numpy()
    return model, expected


def official_h5(path, model, nested=False, leave_out=()):
    """Writes the layout of the files that Keras publishes."""
    with h5py.File(path, "w") as file:
        root = file.create_group("model_weights") if nested else file
        layers = [layer for layer in model.layers if layer.name not in leave_out]
        root.attrs["layer_names"] = [layer.name.encode() for layer in layers]
        for layer in layers:
            group = root.create_group(layer.name)
            names = [f"{layer.name}_{i}:0" for i in range(len(layer.weights))]
            group.attrs["weight_names"] = [name.encode() for name in names]
            for name, value in zip(names, layer.get_weights(), strict=True):
                group[name] = value
    return str(path)


@pytest.mark.parametrize("layout", ["flat.h5", "nested.h5", "keras3.keras"])
def test_raw_pixels_give_the_features_of_keras_applications(
    layout, reference, tmp_path
):
    model, expected = reference
    path = tmp_path / layout
    if layout == "keras3.keras":
        model.save(path)
    else:
        official_h5(path, model, nested=layout == "nested.h5")
    maps = build(weights=str(path), trainable=True)(PIXELS)["block5_conv2"]
    np.testing.assert_allclose(maps, expected, rtol=1e-4, atol=1e-5)
    frozen = build(weights=str(path))(PIXELS)["block5_conv2"]
    assert frozen.dtype == tf.float16
    np.testing.assert_allclose(frozen, expected, rtol=2e-3, atol=1e-3)


def test_keras3_weights_file(reference, tmp_path):
    model, expected = reference
    model.save_weights(tmp_path / "vgg.weights.h5")
    backbone = build(weights=str(tmp_path / "vgg.weights.h5"), trainable=True)
    maps = backbone(PIXELS)["block5_conv2"]
    np.testing.assert_allclose(maps, expected, rtol=1e-4, atol=1e-5)


def test_file_truncated_after_the_tap_is_enough(reference, tmp_path):
    model, expected = reference
    path = official_h5(tmp_path / "a.h5", model, leave_out=("block5_conv3",))
    maps = build(weights=path, trainable=True)(PIXELS)["block5_conv2"]
    np.testing.assert_allclose(maps, expected, rtol=1e-4, atol=1e-5)
    with pytest.raises(BackboneWeightsError, match="block5_conv3"):
        build(taps="block5_conv3", weights=path)


def test_layers_of_another_shape_are_named(reference, tmp_path):
    model, _ = reference
    path = official_h5(tmp_path / "a.h5", model)
    with h5py.File(path, "a") as file:
        del file["block3_conv2"]["block3_conv2_0:0"]
        file["block3_conv2"]["block3_conv2_0:0"] = np.zeros((3, 3, 4, 4))
    with pytest.raises(BackboneWeightsError, match=r"block3_conv2.*\(3, 3, 4, 4\)"):
        build(weights=path)


def test_files_that_are_no_weights(tmp_path):
    with pytest.raises(BackboneWeightsError, match="no weights file.*absent.h5"):
        build(weights=str(tmp_path / "absent.h5"))
    (tmp_path / "page.h5").write_text("<html>404</html>")
    with pytest.raises(BackboneWeightsError, match="page.h5 is neither"):
        build(weights=str(tmp_path / "page.h5"))


def test_failed_download_says_how_to_pass_a_file(monkeypatch):
    def fail(*args, **kwargs):
        raise Exception("URL fetch failure")

    monkeypatch.setattr("keras.src.applications.vgg19.file_utils.get_file", fail)
    with pytest.raises(BackboneWeightsError, match="--backbone_weights=PATH"):
        build("vgg19", weights="imagenet")


@pytest.fixture(scope="module")
def xception():
    """The beginning of Xception as keras.applications numbers it, weights of ours."""
    # So that the numbers do not begin with the network.
    keras.layers.Conv2D(1, 1)
    keras.layers.BatchNormalization()
    model = keras.applications.Xception(include_top=False, weights=None)
    added = [x for x in model.layers if isinstance(x, keras.layers.Add)]
    model = keras.Model(model.input, added[1].output)
    rng = np.random.default_rng(2)
    for layer in model.layers:
        layer.set_weights([rng.uniform(0.1, 0.3, w.shape) for w in layer.weights])
    expected = model(keras.applications.xception.preprocess_input(PIXELS.copy()))
    return model, expected.numpy()


@pytest.mark.parametrize("layout", ["x.h5", "x.keras"])
def test_layers_without_a_name_are_found_in_a_file(layout, xception, tmp_path):
    model, expected = xception
    assert not {"conv2d", "batch_normalization"} & {x.name for x in model.layers}
    if layout == "x.keras":
        model.save(tmp_path / layout)
    else:
        official_h5(tmp_path / layout, model)
    backbone = build("xception", "add_1", str(tmp_path / layout), trainable=True)
    np.testing.assert_allclose(backbone(PIXELS)["add_1"], expected, rtol=1e-4)


def test_a_network_built_twice_has_the_same_names_and_fingerprint(tmp_path):
    one, two = build("xception", "add_1"), build("xception", "add_1")
    names = [layer.name for layer in one.layers]
    assert names == [layer.name for layer in two.layers]
    assert {"conv2d", "conv2d_1", "add", "add_1", "block1_conv1"} <= set(names)
    assert weights_fingerprint(one) == weights_fingerprint(two)
    build("xception", "add_1", trainable=True).save(tmp_path / "x.keras")
    again = build("xception", "add_1", str(tmp_path / "x.keras"))
    assert weights_fingerprint(one) == weights_fingerprint(again)
    two.get_layer("conv2d_1").kernel.assign_add([[[[1e-3]]]])
    assert weights_fingerprint(one) != weights_fingerprint(two)


def test_random_weights_follow_the_seed():
    one, same, other = (build(taps="block2_conv1", seed=seed) for seed in (1, 1, 2))
    fingerprints = [weights_fingerprint(m) for m in (one, same, other)]
    assert fingerprints[0] == fingerprints[1] != fingerprints[2]


def test_fingerprint_is_over_paths_shapes_and_values():
    model = keras.Sequential([keras.Input([2]), keras.layers.Dense(1, name="d")])
    model.layers[0].set_weights([np.float32([[1], [2]]), np.float32([3])])
    content = b"d/kernel (2, 1)" + np.float32([1, 2]).tobytes()
    content += b"d/bias (1,)" + np.float32([3]).tobytes()
    expected = hashlib.sha256(content).hexdigest()
    assert weights_fingerprint(model) == expected


def test_fingerprint_leaves_out_the_seeds_of_dropout():
    pixels = keras.Input([2])
    models = [keras.Model(pixels, keras.layers.Dropout(0.5)(pixels)) for _ in range(2)]
    one, two = (weights_fingerprint(model) for model in models)
    assert one == two


def test_a_normalisation_layer_computes_with_the_weights_of_its_file(tmp_path):
    inputs = keras.Input([None, None, 3])
    model = keras.Model(inputs, keras.layers.Normalization(name="n")(inputs))
    content = {"n": [np.float32([1, 2, 3]), np.float32([4, 4, 4]), np.int32(1)]}
    _assign(model, (), content, tmp_path / "a.h5")
    maps = model(np.float32([[[[1, 4, 9]]]]))
    np.testing.assert_allclose(maps[0, 0, 0], [0, 1, 3])
