"""The layer that is read of a network for which none was published."""

import dataclasses

import keras
import numpy as np
import pytest
from keras import layers

from annotator.backbones.backbone import build_backbone
from annotator.backbones.default_layer import last_of_stride_16
from annotator.backbones.networks import backbone_names, default_tap
from annotator.config import Config
from annotator.runs.heads import CAPTIONER, TAGGER
from annotator.runs.run import Run

# A network of each family -> its layer and its channels.
FAMILIES = {
    "convnexttiny": ("convnext_tiny_stage_2_block_8_identity", 384),
    "densenet121": ("pool4_conv", 512),
    "efficientnetb0": ("block6a_expand_activation", 672),
    "efficientnetv2b0": ("block6a_expand_activation", 672),
    "inceptionresnetv2": ("block17_20_ac", 1088),
    "inceptionv3": ("mixed7", 768),
    "mobilenet": ("conv_pw_11_relu", 512),
    "mobilenetv2": ("block_13_expand_relu", 576),
    "mobilenetv3small": ("activation_11", 288),
    "nasnetmobile": ("normal_concat_8", 528),
    "resnet101": ("conv4_block23_out", 1024),
    "resnet50v2": ("conv4_block5_out", 1024),
    "xception": ("add_10", 728),
}
OTHERS = sorted(
    name for name in backbone_names() if not default_tap(name) and name not in FAMILIES
)


def pixels():
    return keras.Input((None, None, 3))


def down(tensor, **options):
    return layers.Conv2D(4, 3, 2, **{"padding": "same", **options})(tensor)


def network(end):
    """Four halvings, what `end` makes of them, and a fifth."""
    inputs = tensor = pixels()
    for _ in range(4):
        tensor = down(tensor)
    return keras.Model(inputs, down(end(tensor), name="deep"))


def test_it_is_the_end_of_a_block_with_a_shortcut():
    def end(tensor):
        inner = layers.Conv2D(4, 1, name="inner")(tensor)
        return layers.Add(name="block")([tensor, inner])

    assert last_of_stride_16(network(end)) == "block"


def test_of_a_sum_that_is_no_layer_it_is_the_last_part():
    def end(tensor):
        return tensor + layers.Conv2D(4, 1, name="part")(tensor)

    assert last_of_stride_16(network(end)) == "part"


def test_it_is_before_a_block_that_halves():
    """Inside the block each branch has another part of what is known."""

    def end(tensor):
        tensor = layers.ReLU(name="before")(tensor)
        branch = layers.Conv2D(8, 1, name="branch")(tensor)
        return layers.Concatenate()([down(tensor), down(branch)])

    assert last_of_stride_16(network(end)) == "before"


def test_a_border_is_no_layer_to_read():
    def end(tensor):
        tensor = layers.ReLU(name="read")(tensor)
        return layers.ZeroPadding2D(1, name="border")(tensor)

    assert last_of_stride_16(network(end)) == "read"


def test_unpadded_convolutions_take_off_borders_and_no_stride():
    inputs = tensor = pixels()
    for i in range(5):
        tensor = down(tensor, padding="valid")
        tensor = layers.Conv2D(4, 3, name=f"conv_{i}")(tensor)
    assert last_of_stride_16(keras.Model(inputs, tensor)) == "conv_3"


def test_cells_that_read_the_two_before_them_end_in_a_join():
    inputs = tensor = pixels()
    for _ in range(3):
        tensor = down(tensor)
    # From stride 8 on, a tensor is handed past every cell.
    before, tensor = tensor, down(tensor)
    for i in range(3):
        strides = 2 if i == 0 else 1
        skipped = layers.Conv2D(4, 1, strides, name=f"adjust_{i}")(before)
        joined = layers.Concatenate(name=f"cell_{i}")([skipped, tensor])
        before, tensor = tensor, joined
    last = layers.Concatenate()([down(before), down(tensor)])
    assert last_of_stride_16(keras.Model(inputs, last)) == "cell_2"


def test_a_network_without_such_a_stride_is_named():
    inputs = pixels()
    shallow = keras.Model(inputs, down(inputs), name="shallow")
    with pytest.raises(ValueError, match="No layer of shallow has a stride of 16"):
        last_of_stride_16(shallow)


def check(name, layer=None, channels=None):
    """The default backbone of a network, at random weights, on an image of its own."""
    backbone = build_backbone(name, weights="random", precision="float32")
    side = backbone.inputs[0].shape[1] or 128
    ((found, maps),) = backbone(np.ones([1, side, side, 3], np.float32)).items()
    assert layer in (None, found) and channels in (None, maps.shape[-1])
    # Unpadded convolutions take off up to two; of sides that 16 does not divide they
    # may leave one more.
    assert side // 16 - 2 <= maps.shape[1] == maps.shape[2] <= -(-side // 16)
    assert np.all(np.isfinite(maps))


FAST = ("mobilenet",)


@pytest.mark.parametrize(
    "name",
    [
        name if name in FAST else pytest.param(name, marks=pytest.mark.slow)
        for name in FAMILIES
    ],
)
def test_each_family_has_its_layer(name):
    check(name, *FAMILIES[name])


@pytest.mark.slow
@pytest.mark.parametrize("name", OTHERS)
def test_all_networks_have_one(name):
    check(name)
    keras.backend.clear_session()


@pytest.mark.slow
def test_a_network_for_one_size_of_images_says_which():
    config = Config(
        backbone="nasnetmobile", backbone_weights="random", precision="float32"
    )
    run = Run(dataclasses.replace(config, scales=(96,)), "unused")
    with pytest.raises(ValueError, match="scales=96: nasnetmobile .* --scales=224"):
        run.backbone(TAGGER)
    assert Run(config, "unused").backbone(TAGGER).inputs[0].shape[1:3] == (224, 224)


def test_the_tasks_of_a_run_share_it():
    config = Config(
        backbone="mobilenet", backbone_weights="random", precision="float32"
    )
    run = Run(config, "unused")
    assert TAGGER.tap(config) is None
    assert list(run.backbone(TAGGER).output) == ["conv_pw_11_relu"]
    assert run.backbone(TAGGER) is run.backbone(CAPTIONER)
