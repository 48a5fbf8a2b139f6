"""Names of networks, what is said of unknown ones, and the layers that tasks read."""

import inspect
import subprocess
import sys

import keras
import pytest

from annotator.backbones.networks import (
    backbone_names,
    canonical_name,
    default_tap,
    find_network,
)


def test_names_are_those_of_keras_applications_and_alexnet():
    builders = {
        name
        for name, builder in vars(keras.applications).items()
        if inspect.isfunction(builder)
    }
    assert {find_network(name).builder for name in backbone_names()} == {
        "AlexNet",
        *builders,
    }
    assert list(backbone_names()) == sorted(backbone_names())


@pytest.mark.parametrize("spelling", ["mobilenetv2", "MobileNet_V2", "mobile-net-V2"])
def test_a_name_can_be_spelled_in_many_ways(spelling):
    assert canonical_name(spelling) == "mobilenetv2"


def test_an_unknown_name_brings_up_similar_ones():
    with pytest.raises(ValueError, match="'ResNet_5O'. Did you mean resnet50.* There"):
        canonical_name("ResNet_5O")
    with pytest.raises(ValueError, match="'photo'. There are alexnet, .*, xception.$"):
        canonical_name("photo")


def test_names_are_known_without_tensorflow():
    program = (
        "import sys, annotator.backbones as backbones; backbones.backbone_names(); "
        "print('tensorflow' in sys.modules, 'keras' in sys.modules)"
    )
    output = subprocess.check_output([sys.executable, "-c", program], text=True)
    assert output == "False False\n"


@pytest.mark.parametrize(
    ("name", "mode"),
    [
        ("vgg16", "caffe"),
        ("resnet152", "caffe"),
        ("xception", "tf"),
        ("densenet201", "torch"),
        ("alexnet", "torch"),
        ("efficientnetb0", None),
        ("mobilenetv3small", None),
    ],
)
def test_each_family_has_its_pixels(name, mode):
    assert find_network(name).pixels == mode


def test_a_network_without_published_layers_leaves_the_choice_to_its_graph():
    for task in ("tagger", "captioner", "finetuned"):
        assert default_tap("ResNet101", task) is None
        assert default_tap("ResNet-50", task) == "conv4_block6_out"
    with pytest.raises(ValueError, match="Unknown backbone 'photo'"):
        default_tap("photo")
