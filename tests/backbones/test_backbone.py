"""Taps, normalization, precision, and every weights file that is or is not accepted."""

import dataclasses
import hashlib

import h5py
import keras
import numpy as np
import pytest
import tensorflow as tf

from annotator.backbones import backbone as backbones
from annotator.backbones import weights as backbone_weights
from annotator.backbones.backbone import BackboneWeightsError, build_backbone
from annotator.config import Config
from annotator.runs.heads import TAGGER, TASKS
from annotator.runs.run import Run

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
    with pytest.raises(ValueError, match=r"--tap=LAYER.*MobileNetV2\(.*summary"):
        build("mobilenet_v2")


@pytest.mark.parametrize(
    "spelling, tagger, captioner",
    [
        ("VGG16", "block5_conv2", "block5_conv3"),
        ("vgg-19", "block5_conv2", "block5_conv4"),
        ("ResNet_50", "conv4_block6_out", "conv4_block6_out"),
    ],
)
def test_each_task_has_its_default_tap_however_the_network_is_spelt(
    spelling, tagger, captioner
):
    config = Config(backbone=spelling, backbone_weights="random", precision="float32")
    for task, tap in zip(TASKS, (tagger, captioner), strict=True):
        assert backbones.default_tap(spelling, task.name) == task.tap(config) == tap
        if spelling == "VGG16":
            assert list(Run(config, "unused").backbone(task).output) == [tap]


def test_images_that_are_too_small_for_a_layer_are_said():
    config = Config(backbone="alexnet", backbone_weights="random", scales=(224, 80))
    assert "conv5" in Run(config, "unused").backbone(TAGGER).output
    config = dataclasses.replace(config, tap="fc6")
    with pytest.raises(ValueError, match="--scales=80 is too small for fc6 of alexnet"):
        Run(config, "unused").backbone(TAGGER)


def test_no_default_tap_names_the_flag_of_the_task():
    for task, flag in (("tagger", "--tap="), ("captioner", "--captioner_tap=")):
        with pytest.raises(ValueError, match=f"ResNet101 shall the {task}.* {flag}"):
            backbones.default_tap("ResNet101", task)


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
    assert backbones.weights_fingerprint(one) == backbones.weights_fingerprint(two)
    build("xception", "add_1", trainable=True).save(tmp_path / "x.keras")
    again = build("xception", "add_1", str(tmp_path / "x.keras"))
    assert backbones.weights_fingerprint(one) == backbones.weights_fingerprint(again)
    two.get_layer("conv2d_1").kernel.assign_add([[[[1e-3]]]])
    assert backbones.weights_fingerprint(one) != backbones.weights_fingerprint(two)


def test_fingerprint_is_over_paths_shapes_and_values():
    model = keras.Sequential([keras.Input([2]), keras.layers.Dense(1, name="d")])
    model.layers[0].set_weights([np.float32([[1], [2]]), np.float32([3])])
    content = b"d/kernel (2, 1)" + np.float32([1, 2]).tobytes()
    content += b"d/bias (1,)" + np.float32([3]).tobytes()
    expected = hashlib.sha256(content).hexdigest()
    assert backbones.weights_fingerprint(model) == expected


def test_fingerprint_leaves_out_the_seeds_of_dropout():
    pixels = keras.Input([2])
    models = [keras.Model(pixels, keras.layers.Dropout(0.5)(pixels)) for _ in range(2)]
    one, two = (backbones.weights_fingerprint(model) for model in models)
    assert one == two


def test_a_normalisation_layer_computes_with_the_weights_of_its_file(tmp_path):
    inputs = keras.Input([None, None, 3])
    model = keras.Model(inputs, keras.layers.Normalization(name="n")(inputs))
    content = {"n": [np.float32([1, 2, 3]), np.float32([4, 4, 4]), np.int32(1)]}
    backbone_weights._assign(model, (), content, tmp_path / "a.h5")
    maps = model(np.float32([[[[1, 4, 9]]]]))
    np.testing.assert_allclose(maps[0, 0, 0], [0, 1, 3])


def test_precision():
    assert build(precision="bfloat16").layers[2].compute_dtype == "bfloat16"
    assert build(precision="float32").layers[2].compute_dtype == "float32"
    tuned = build(precision="bfloat16", trainable=True)
    assert tuned.layers[2].compute_dtype == "bfloat16"
    assert {variable.dtype for variable in tuned.trainable_variables} == {"float32"}
    assert keras.config.dtype_policy().name == "float32"
    with pytest.raises(ValueError, match="float8"):
        backbones.resolve_precision("float8")


@pytest.mark.parametrize(
    ("cpu", "gpu", "expected"),
    [
        ("flags : avx2 avx512_bf16", None, "bfloat16"),
        ("flags : avx512f amx_bf16 amx_int8", None, "bfloat16"),
        ("flags : avx2 avx512f", None, "float32"),
        (None, None, "float32"),  # not Linux
        ("flags : avx512_bf16", (7, 5), "float32"),
        ("flags : avx2", (8, 0), "bfloat16"),
    ],
)
def test_precision_follows_the_hardware(cpu, gpu, expected, monkeypatch):
    def read(path, **_):
        assert str(path) == "/proc/cpuinfo"
        if cpu is None:
            raise FileNotFoundError
        return cpu

    devices = {"GPU": ["gpu"] if gpu else [], "TPU": []}
    details = {"compute_capability": gpu}
    config = tf.config
    monkeypatch.setattr(backbones.pathlib.Path, "read_text", read)
    monkeypatch.setattr(config, "list_physical_devices", devices.get)
    monkeypatch.setattr(config, "list_logical_devices", devices.get)
    monkeypatch.setattr(config.experimental, "get_device_details", lambda _: details)
    assert backbones.resolve_precision() == expected
    assert backbones.resolve_precision("float32") == "float32"
    devices["TPU"] = ["tpu"]
    assert backbones.resolve_precision() == "bfloat16"


def test_a_network_that_was_tuned_keeps_its_exact_weights():
    """Rounded, the statistics of batch normalization would be others than trained."""
    tuned = build("mobilenet", "conv_pw_1_bn", precision="bfloat16", mixed=True)
    assert {variable.dtype for variable in tuned.variables} == {"float32"}
    assert tuned(PIXELS)["conv_pw_1_bn"].dtype == "float16"


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


def test_efficientnets_of_two_kinds_are_kept_apart(tmp_path):
    """With a download Keras divides their pixels once more than without."""
    (tmp_path / "w.h5").touch()
    for weights in ("w.h5", "imagenet"):
        with pytest.raises(ValueError, match="efficientnetb0 takes"):
            build_backbone(
                "EfficientNetB0", "top_conv", weights, trainable=weights == "imagenet"
            )
