"""One pass of a network for several exports: same numbers, and when it is shared."""

import keras
import numpy as np
import pytest
import tensorflow as tf

from annotator.backbones.backbone import build_backbone
from annotator.backbones.sharing import join_regions
from annotator.export.saved_model import image_model
from annotator.images.resize import Resize

RNG = np.random.default_rng(0)


def part(task, tap, resizes, **settings):
    """`(model, head, backbone)` of an export whose head returns its regions."""
    settings = {"weights": "random", "precision": "float32", **settings}
    backbone = build_backbone("vgg16", tap, **settings)
    head = keras.layers.Identity(dtype="float16", name=f"{task}_head")
    model, _ = image_model(backbone, resizes, head, task)
    return model, head, backbone


def join(captioner, tagger):
    # Exports are made one by one: their layers may have the same names.
    for model, _, _ in (captioner, tagger):
        layers = model.get_layer(f"{model.name}_of_views").layers
        reshapes = [x for x in layers if isinstance(x, keras.layers.Reshape)]
        for index, layer in enumerate(reshapes):
            layer.name = f"reshape_{index}"
    return join_regions({"captioner": captioner[:2], "tagger": tagger[:2]})


def convolutions(regions):
    """How many convolutions of a batch the joined model computes."""
    views = [tf.TensorSpec((None, *view.shape[1:])) for view in regions.inputs]
    graph = (
        tf.function(lambda x: regions(x), autograph=False)
        .get_concrete_function(views)
        .graph
    )
    return len([op for op in graph.get_operations() if op.type == "Conv2D"])


@pytest.mark.parametrize(
    ("captioner", "tagger", "expected"),
    [
        # Layers of VGG16: block1 has 2, block2 2, block3 3, then block4.
        (("block3_conv2", [Resize(32)]), ("block2_conv2", [Resize(32)]), 6),
        (("block2_conv2", [Resize(32)]), ("block3_conv2", [Resize(32)]), 6),
        (("block2_conv2", [Resize(32)]), ("block2_conv2", [Resize(32)]), 4),
    ],
)
def test_the_deeper_network_serves_both(captioner, tagger, expected):
    parts = part("captioner", *captioner), part("tagger", *tagger)
    resizes, regions = join(*parts)
    assert [resize.view for resize in resizes] == [Resize(32).view]
    assert convolutions(regions) == expected
    pixels = np.float32(RNG.integers(0, 256, (2, 40, 50, 3)))
    joined = regions([resize(pixels) for resize in resizes])
    for task, (model, _, _) in zip(("captioner", "tagger"), parts, strict=True):
        alone = model(pixels)
        assert joined[task].dtype == alone.dtype == "float16"
        assert np.asarray(alone, np.float32).std() > 0
        np.testing.assert_array_equal(joined[task], alone)


def test_equal_views_are_shared_and_others_stay_apart():
    views = [Resize(16, flip=True), Resize(32), Resize(32, "center_crop")]
    captioner = part("captioner", "block2_conv2", [Resize(32)])
    tagger = part("tagger", "block1_conv2", views)
    resizes, regions = join(captioner, tagger)
    # The captioner's view is the tagger's second.
    assert [r.view for r in resizes] == [views[i].view for i in (1, 0, 2)]
    pixels = np.float32(RNG.integers(0, 256, (2, 40, 50, 3)))
    joined = regions([resize(pixels) for resize in resizes])
    for task, model in (("captioner", captioner[0]), ("tagger", tagger[0])):
        np.testing.assert_array_equal(joined[task], model(pixels))


@pytest.mark.parametrize(
    "settings", [{"seed": 1}, {"precision": "bfloat16"}, {"trainable": True}]
)
def test_networks_that_differ_run_apart(settings):
    captioner = part("captioner", "block2_conv2", [Resize(32)])
    tagger = part("tagger", "block1_conv2", [Resize(32)], **settings)
    resizes, regions = join(captioner, tagger)
    assert len(resizes) == 1
    assert convolutions(regions) == 4 + 2
    pixels = np.float32(RNG.integers(0, 256, (2, 40, 50, 3)))
    joined = regions([resizes[0](pixels)])
    for task, model in (("captioner", captioner[0]), ("tagger", tagger[0])):
        np.testing.assert_array_equal(joined[task], model(pixels))


def test_one_changed_weight_parts_them():
    captioner = part("captioner", "block2_conv2", [Resize(32)])
    tagger = part("tagger", "block1_conv2", [Resize(32)])
    bias = tagger[2].get_layer("block1_conv1").bias
    bias.assign(np.eye(1, 64, 7)[0])
    assert convolutions(join(captioner, tagger)[1]) == 4 + 2


def test_networks_of_other_kinds_run_apart():
    captioner = part("captioner", "block1_conv2", [Resize(32)])
    backbone = build_backbone("resnet50", "conv1_relu", "random", "float32")
    head = keras.layers.Identity(dtype="float16", name="tagger_head")
    model, _ = image_model(backbone, [Resize(32)], head, "tagger")
    _, regions = join(captioner, (model, head, backbone))
    assert convolutions(regions) == 2 + 1
