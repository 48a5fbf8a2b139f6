"""The networks that can be backbones: their names, their pixels, their default layers.

This module imports neither Keras nor TensorFlow, so a name can be checked at once.
"""

import dataclasses
import difflib
from collections.abc import Mapping

# What `keras.applications.imagenet_utils.preprocess_input` calls the ways in which
# families of networks take pixels. Networks without one begin with a layer that
# normalizes.
_CAFFE, _TF, _TORCH = "caffe", "tf", "torch"


@dataclasses.dataclass(frozen=True)
class Network:
    """A network, before it is built.

    Attributes:
        builder: Name of its function in `keras.applications`, or `"AlexNet"`.
        pixels: The `mode` of `PixelNormalization` that it was trained with.
        taps: Dict from task to the layer that it reads by default, as published: the
            tagger its descriptors, the captioner its regions, and `"finetuned"` what
            the tagger that is trained together with its backbone reads. Of a network
            without, `build_backbone` finds a layer in the graph.
        side: Pixels of a side of the images that it is built for; `None` for any.
    """

    builder: str
    pixels: str | None = None
    taps: Mapping[str, str] = dataclasses.field(default_factory=dict)
    side: int | None = None


def _taps(tagger, captioner, finetuned):
    return {"tagger": tagger, "captioner": captioner, "finetuned": finetuned}


_NETWORKS = (
    Network("AlexNet", _TORCH, _taps("conv5", "conv5", "fc7")),
    Network("ConvNeXtTiny"),
    Network("ConvNeXtSmall"),
    Network("ConvNeXtBase"),
    Network("ConvNeXtLarge"),
    Network("ConvNeXtXLarge"),
    Network("DenseNet121", _TORCH),
    Network("DenseNet169", _TORCH),
    Network("DenseNet201", _TORCH),
    Network("EfficientNetB0"),
    Network("EfficientNetB1"),
    Network("EfficientNetB2"),
    Network("EfficientNetB3"),
    Network("EfficientNetB4"),
    Network("EfficientNetB5"),
    Network("EfficientNetB6"),
    Network("EfficientNetB7"),
    Network("EfficientNetV2B0"),
    Network("EfficientNetV2B1"),
    Network("EfficientNetV2B2"),
    Network("EfficientNetV2B3"),
    Network("EfficientNetV2S"),
    Network("EfficientNetV2M"),
    Network("EfficientNetV2L"),
    Network("InceptionResNetV2", _TF),
    Network("InceptionV3", _TF),
    Network("MobileNet", _TF),
    Network("MobileNetV2", _TF),
    Network("MobileNetV3Large"),
    Network("MobileNetV3Small"),
    # Their cells are joined by the sizes of maps, which must be known.
    Network("NASNetLarge", _TF, side=331),
    Network("NASNetMobile", _TF, side=224),
    Network(
        "ResNet50",
        _CAFFE,
        _taps("conv4_block6_out", "conv4_block6_out", "conv4_block6_out"),
    ),
    Network("ResNet101", _CAFFE),
    Network("ResNet152", _CAFFE),
    Network("ResNet50V2", _TF),
    Network("ResNet101V2", _TF),
    Network("ResNet152V2", _TF),
    Network("VGG16", _CAFFE, _taps("block5_conv2", "block5_conv3", "block5_conv2")),
    Network("VGG19", _CAFFE, _taps("block5_conv2", "block5_conv4", "block5_conv2")),
    Network("Xception", _TF),
)
_BY_NAME = {network.builder.lower(): network for network in _NETWORKS}


def backbone_names() -> tuple[str, ...]:
    """Lists the names that `build_backbone` takes, sorted.

    Returns:
        Names in lower case without underscores: `"alexnet"`, ..., `"xception"`.
    """
    return tuple(sorted(_BY_NAME))


def canonical_name(name: str) -> str:
    """Spells a network as `backbone_names` does.

    Args:
        name: A network, any case, with or without underscores and hyphens.

    Returns:
        One of `backbone_names()`.

    Raises:
        ValueError: When there is no such network; the message has similar names.
    """
    spelled = name.lower().replace("_", "").replace("-", "")
    if spelled in _BY_NAME:
        return spelled
    names = backbone_names()
    similar = difflib.get_close_matches(spelled, names)
    hint = f" Did you mean {' or '.join(similar)}?" if similar else ""
    raise ValueError(f"Unknown backbone {name!r}.{hint} There are {', '.join(names)}.")


def find_network(name: str) -> Network:
    """Looks a network up.

    Args:
        name: As in `canonical_name`.

    Returns:
        What is known of it.

    Raises:
        ValueError: When there is no such network.
    """
    return _BY_NAME[canonical_name(name)]


def default_tap(name: str, task: str = "tagger") -> str | None:
    """Names the layer of a network that a task reads unless another is asked for.

    Args:
        name: As in `canonical_name`.
        task: `"tagger"`, `"captioner"`, or `"finetuned"`, the tagger that is trained
            together with its backbone.

    Returns:
        The name of the layer; `None` where only the graph tells it, which
        `build_backbone` then asks for the last layer of stride 16.

    Raises:
        ValueError: When the network is unknown.
    """
    return find_network(name).taps.get(task)
