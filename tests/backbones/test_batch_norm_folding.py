"""Folded networks give what they gave, and fold what can be folded and no more."""

import keras
import numpy as np
import pytest

from annotator.backbones.backbone import build_backbone
from annotator.backbones.batch_norm_folding import fold_batch_normalization


def randomize(model, seed=0):
    """Weights under which every term of every normalization counts."""
    rng = np.random.default_rng(seed)
    for layer in model.layers:
        values = []
        for variable in layer.weights:
            value = rng.normal(0, 0.3, variable.shape)
            if variable.name.endswith("kernel"):
                value *= (11 / np.prod(variable.shape[:-1])) ** 0.5
            if variable.name in ("gamma", "moving_variance"):
                value = np.abs(value) + 0.5
            values.append(value)
        if values and not isinstance(layer, keras.layers.Normalization):
            layer.set_weights(values)


def normalizations(model):
    return [x for x in model.layers if isinstance(x, keras.layers.BatchNormalization)]


@pytest.mark.parametrize(
    ("network", "tap", "left"),
    [
        ("ResNet50", "conv3_block1_out", 0),
        ("MobileNetV2", "block_3_project_BN", 0),  # depthwise
        ("Xception", "add", 0),  # separable
        ("EfficientNetV2B0", "block4a_project_bn", 0),  # squeeze and excitation
        ("DenseNet121", "pool2_conv", 7),  # some stand before the convolutions
        ("ResNet50V2", "conv2_block3_out", 3),
        ("MobileNetV3Small", "expanded_conv_2_add", 0),
    ],
)
def test_networks_give_what_they_gave(network, tap, left):
    whole = getattr(keras.applications, network)(include_top=False, weights=None)
    adds = [layer.name for layer in whole.layers if layer.name.startswith("add")]
    tap = adds[0] if tap == "add" else tap  # numbered as the process goes on
    model = keras.Model(whole.input, whole.get_layer(tap).output)
    randomize(model)
    assert len(normalizations(model)) > left
    folded = fold_batch_normalization(model)
    assert len(normalizations(folded)) == left
    names = [[x.name for x in each.layers[1:]] for each in (model, folded)]
    assert names[0] == names[1]
    pixels = np.random.default_rng(1).uniform(-1, 1, (2, 64, 64, 3))
    expected = model(pixels.astype(np.float32), training=False).numpy()
    assert expected.std() > 0.1
    result = folded(pixels.astype(np.float32)).numpy()
    np.testing.assert_allclose(result, expected, atol=2e-4 * np.abs(expected).max())


def test_by_hand():
    """2 x + 1 less the mean 3, over the deviation 2, times 5, plus 7."""
    inputs = keras.Input((1, 1, 1))
    x = keras.layers.Conv2D(1, 1, name="c")(inputs)
    x = keras.layers.BatchNormalization(epsilon=0.0, name="n")(x)
    model = keras.Model(inputs, x)
    model.get_layer("c").set_weights([np.full((1, 1, 1, 1), 2.0), np.array([1.0])])
    model.get_layer("n").set_weights(list(np.float32([[5], [7], [3], [4]])))
    folded = fold_batch_normalization(model)
    kernel, bias = folded.get_layer("c").get_weights()
    assert kernel.item() == 5.0 and bias.item() == 2.0
    assert folded(np.full((1, 1, 1, 1), 10.0)).numpy().item() == 52.0


def test_what_others_read_or_another_function_stands_before_is_left():
    inputs = keras.Input((8, 8, 3))
    x = keras.layers.Conv2D(4, 3, activation="relu", name="curved")(inputs)
    x = keras.layers.BatchNormalization(name="after_curved")(x)
    read_twice = keras.layers.Conv2D(4, 3, name="read_twice")(x)
    x = keras.layers.BatchNormalization(name="after_read_twice")(read_twice)
    x = keras.layers.Conv2D(4, 3, name="transposed")(x)
    x = keras.layers.BatchNormalization(axis=1, name="of_rows")(x)
    x = keras.layers.Conv2D(4, 1, name="plain")(x)
    x = keras.layers.BatchNormalization(scale=False, center=False, name="folded")(x)
    model = keras.Model(inputs, {"x": x, "y": keras.ops.abs(read_twice)})
    randomize(model)
    copy = fold_batch_normalization(model)
    left = ["after_curved", "after_read_twice", "of_rows"]
    assert [layer.name for layer in normalizations(copy)] == left
    pixels = np.random.default_rng(1).uniform(-1, 1, (2, 8, 8, 3)).astype(np.float32)
    expected, maps = model(pixels, training=False), copy(pixels)
    for name in ("x", "y"):
        np.testing.assert_allclose(maps[name], expected[name], atol=1e-5)


def test_frozen_backbones_are_folded_in_their_precision():
    """A tap before a normalization keeps its own maps."""
    taps = ("conv2_block1_1_conv", "conv2_block1_out")
    pixels = np.random.default_rng(1).uniform(0, 255, (2, 64, 64, 3)).astype(np.float32)
    plain = build_backbone("resnet50", taps, "random", "float32", trainable=True)
    expected = plain(pixels, training=False)
    for precision, tolerance in (("float32", 2e-3), ("bfloat16", 0.03)):
        backbone = build_backbone("resnet50", taps, "random", precision)
        (left,) = normalizations(backbone)
        assert left.name == "conv2_block1_1_bn"
        kernel = backbone.get_layer("conv1_conv").kernel
        assert keras.backend.standardize_dtype(kernel.dtype) == precision
        maps = backbone(pixels)
        for tap in taps:
            scale = np.abs(expected[tap]).max()
            np.testing.assert_allclose(
                maps[tap].numpy(), expected[tap], atol=tolerance * scale
            )
