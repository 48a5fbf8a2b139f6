"""Networks up to their taps: channel order, several taps, precision, round trips."""

import dataclasses

import keras
import numpy as np
import pytest

from annotator.backbones.backbone import build_backbone
from annotator.backbones.networks import default_tap
from annotator.config import Config
from annotator.runs.heads import TAGGER, TASKS
from annotator.runs.run import Run

PIXELS = np.random.default_rng(0).uniform(0, 255, (2, 32, 32, 3)).astype(np.float32)


def build(name="vgg16", taps=None, weights="random", precision="float32", **options):
    return build_backbone(name, taps, weights, precision, **options)


def test_channel_order_matters():
    """VGG reads BGR: swapping red and blue of the input must change the features."""
    backbone = build(taps="block2_conv2")
    maps = backbone(PIXELS)["block2_conv2"].numpy()
    assert np.abs(maps - backbone(PIXELS[..., ::-1])["block2_conv2"]).max() > 1


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


@pytest.mark.parametrize(
    "spelling, tagger, captioner",
    [
        ("VGG16", "block5_conv2", "block5_conv3"),
        ("vgg-19", "block5_conv2", "block5_conv4"),
        ("ResNet_50", "conv4_block6_out", "conv4_block6_out"),
    ],
)
def test_each_task_has_its_default_tap_however_the_network_is_spelled(
    spelling, tagger, captioner
):
    config = Config(backbone=spelling, backbone_weights="random", precision="float32")
    for task, tap in zip(TASKS, (tagger, captioner), strict=True):
        assert default_tap(spelling, task.name) == task.tap(config) == tap
        if spelling == "VGG16":
            assert list(Run(config, "unused").backbone(task).output) == [tap]


def test_images_that_are_too_small_for_a_layer_are_said():
    config = Config(backbone="alexnet", backbone_weights="random", scales=(224, 80))
    assert "conv5" in Run(config, "unused").backbone(TAGGER).output
    config = dataclasses.replace(config, tap="fc6")
    with pytest.raises(ValueError, match="--scales=80 is too small for fc6 of alexnet"):
        Run(config, "unused").backbone(TAGGER)


def test_precision():
    tap = "block1_conv2"
    for precision in ("bfloat16", "float32"):
        assert build(taps=tap, precision=precision).layers[2].compute_dtype == precision
    tuned = build(taps=tap, precision="bfloat16", trainable=True)
    assert tuned.layers[2].compute_dtype == "bfloat16"
    assert {variable.dtype for variable in tuned.trainable_variables} == {"float32"}
    assert keras.config.dtype_policy().name == "float32"
    with pytest.raises(ValueError, match="float8"):
        build(precision="float8")


def test_a_network_that_was_tuned_keeps_its_exact_weights():
    """Rounded, the statistics of batch normalization would be others than trained."""
    tuned = build("mobilenet", "conv_pw_1_bn", precision="bfloat16", mixed=True)
    assert {variable.dtype for variable in tuned.variables} == {"float32"}
    assert tuned(PIXELS)["conv_pw_1_bn"].dtype == "float16"


def test_bfloat16_is_near_float32():
    tap = "block4_conv1"
    exact = build(taps=tap)(PIXELS)[tap].numpy().astype(np.float32)
    rough = build(taps=tap, precision="bfloat16")(PIXELS)[tap].numpy()
    assert np.abs(rough - exact).mean() < 0.03 * np.abs(exact).mean()


def test_model_round_trip(tmp_path):
    model = build(taps="block2_conv2")
    model.save(tmp_path / "m.keras")
    copy = keras.saving.load_model(tmp_path / "m.keras")
    np.testing.assert_array_equal(
        copy(PIXELS)["block2_conv2"], model(PIXELS)["block2_conv2"]
    )


def test_efficientnets_of_two_kinds_are_kept_apart(tmp_path):
    """With a download Keras divides their pixels once more than without."""
    (tmp_path / "w.h5").touch()
    for weights in ("w.h5", "imagenet"):
        with pytest.raises(ValueError, match="efficientnetb0 takes"):
            build_backbone(
                "EfficientNetB0", "top_conv", weights, trainable=weights == "imagenet"
            )
