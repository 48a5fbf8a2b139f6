"""Taps, normalisation, precision, and every weights file that is or is not accepted."""

import h5py
import keras
import numpy as np
import pytest
import tensorflow as tf

from annotator import backbone as backbones
from annotator.backbone import BackboneWeightsError, build_backbone

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

    monkeypatch.setattr("keras.src.applications.vgg16.file_utils.get_file", fail)
    with pytest.raises(BackboneWeightsError, match="--backbone_weights=PATH"):
        build(weights="imagenet")


def test_channel_order_matters():
    """VGG reads BGR: swapping red and blue of the input must change the features."""
    backbone = build()
    maps = backbone(PIXELS)["block5_conv2"].numpy()
    assert np.abs(maps - backbone(PIXELS[..., ::-1])["block5_conv2"]).max() > 1


@pytest.mark.parametrize(
    "mode, expected",
    [
        ("caffe", [3 - 103.939, 2 - 116.779, 1 - 123.68]),
        ("tf", [1 / 127.5 - 1, 2 / 127.5 - 1, 3 / 127.5 - 1]),
        (
            "torch",
            [
                (1 / 255 - 0.485) / 0.229,
                (2 / 255 - 0.456) / 0.224,
                (3 / 255 - 0.406) / 0.225,
            ],
        ),
        (None, [1, 2, 3]),
    ],
)
def test_normalisation_by_hand(mode, expected):
    pixels = tf.constant([[[[1.0, 2.0, 3.0]]]])
    result = backbones.PixelNormalization(mode)(pixels)
    np.testing.assert_allclose(result[0, 0, 0], expected, rtol=1e-5)


def test_random_weights_follow_the_seed():
    one, same, other = build(seed=1), build(seed=1), build(seed=2)
    fingerprints = [backbones.weights_fingerprint(m) for m in (one, same, other)]
    assert fingerprints[0] == fingerprints[1] != fingerprints[2]


def test_several_taps_come_from_one_network():
    taps = ("block4_conv3", "block5_conv3")
    maps = build(taps=taps)(PIXELS)
    assert {tap: tuple(value.shape) for tap, value in maps.items()} == {
        "block4_conv3": (2, 4, 4, 512),
        "block5_conv3": (2, 2, 2, 512),
    }
    alone = build(taps="block4_conv3")(PIXELS)["block4_conv3"]
    np.testing.assert_array_equal(maps["block4_conv3"], alone)


def test_another_network_by_name_and_the_names_it_knows():
    model = build("MobileNet_V2", "block_6_expand_relu")
    assert model(PIXELS)["block_6_expand_relu"].shape == (2, 4, 4, 192)
    with pytest.raises(ValueError, match="vgg16"):
        build("vgg17")
    with pytest.raises(ValueError, match="block9.*block5_conv3"):
        build(taps="block9")
    with pytest.raises(ValueError, match="tap"):
        build("mobilenet_v2")


def test_precision():
    assert build(precision="bfloat16").layers[2].compute_dtype == "bfloat16"
    assert build(precision="float32").layers[2].compute_dtype == "float32"
    tuned = build(precision="bfloat16", trainable=True)
    assert tuned.layers[2].compute_dtype == "bfloat16"
    assert {variable.dtype for variable in tuned.trainable_variables} == {"float32"}
    assert keras.config.dtype_policy().name == "float32"
    assert backbones.resolve_precision() in ("float32", "bfloat16")
    with pytest.raises(ValueError, match="float8"):
        backbones.resolve_precision("float8")


def test_bfloat16_is_near_float32():
    exact = build()(PIXELS)["block5_conv2"].numpy().astype(np.float32)
    rough = build(precision="bfloat16")(PIXELS)["block5_conv2"].numpy()
    assert np.abs(rough - exact).mean() < 0.03 * np.abs(exact).mean()


def test_maps_saturate_at_the_largest_half():
    maps = backbones.HalfPrecision()(tf.constant([1e6, -1e6, 1.5]))
    np.testing.assert_array_equal(maps, np.float16([65504, -65504, 1.5]))


def test_model_round_trip(tmp_path):
    model = build()
    model.save(tmp_path / "m.keras")
    copy = keras.saving.load_model(tmp_path / "m.keras")
    np.testing.assert_array_equal(
        copy(PIXELS)["block5_conv2"], model(PIXELS)["block5_conv2"]
    )
