"""Convolutional backbones of `keras.applications`: raw RGB in, feature maps out.

Each network's own normalization (channel order, means, scale) stands inside the
graph, so nothing outside this package knows of it.
"""

import os
import pathlib
from collections.abc import Iterable, Sequence

import keras

from annotator.backbones.alexnet import AlexNet
from annotator.backbones.batch_norm_folding import fold_batch_normalization
from annotator.backbones.default_layer import last_of_stride_16
from annotator.backbones.half_precision import HalfPrecision
from annotator.backbones.imagenet import imagenet_weights
from annotator.backbones.networks import canonical_name, default_tap, find_network
from annotator.backbones.pixel_normalization import PixelNormalization
from annotator.backbones.precision import dtype_policy, resolve_precision
from annotator.backbones.weights import (
    BackboneWeightsError,
    initialize_weights,
    load_weights_file,
    number_from_first,
)


def build_backbone(
    name: str = "vgg16",
    taps: str | Sequence[str] | None = None,
    weights: str | os.PathLike[str] = "imagenet",
    precision: str = "auto",
    seed: int = 0,
    trainable: bool = False,
    mixed: bool = False,
) -> keras.Model:
    """Builds a network of `keras.applications`, or AlexNet, up to named layers.

    Args:
        name: A network of `keras.applications`, any case, with or without
            underscores: `"vgg16"`, `"resnet50"`, `"mobilenet_v2"`, ... or `"alexnet"`;
            `backbone_names()` lists them.
        taps: Name of the layer to read, or a sequence of names. By default
            `default_tap(name)`, or, where none is known, the last layer of stride 16
            (see `default_layer`). A layer without a name of its own is called after
            its class and place, as in a new process: `"add"`, `"add_1"`, ...
        weights: `"imagenet"` (downloaded by Keras; VGG16's come with the package, see
            `annotator.backbones.imagenet`), `"random"` (He-normal kernels from
            `seed`), or the path of a file: the official Keras `.h5` layouts (read by
            layer name, with or without top, possibly truncated after the last tap),
            `.weights.h5` of the whole network without top, `.keras`, or, of AlexNet,
            torchvision's weights as `.safetensors`.
        precision: `"float32"`, `"bfloat16"`, or `"auto"`: bfloat16 where the machine
            computes it natively.
        seed: Seed of random weights.
        trainable: If true, the backbone can be fine-tuned: its variables stay float32
            and its maps too. If false, its variables are in `precision`, convolutions
            take over the batch normalization behind them, and the maps are float16, as
            `annotator.features` stores them, so that a head gets the same numbers from
            the disk and from the graph.
        mixed: If true, the variables stay float32 although it is not trainable, and
            batch normalization itself, as they were when it was trained.

    Returns:
        A functional `keras.Model` named `name`. Input: float32
        `[batch, height, width, 3]`, RGB, 0 to 255, of any size but for NASNet, which
        is built for its own. Output: a dict from tap to `[batch, h, w, channels]`.

    Raises:
        ValueError: When the network, a tap or the precision is unknown.
        BackboneWeightsError: When the weights cannot be had or do not fit.
    """
    key = canonical_name(name)
    _check_efficientnet(key, weights, trainable, mixed)
    precision = resolve_precision(precision)
    keeps_float32 = trainable or mixed
    policy = "float32"
    if keeps_float32 and precision == "bfloat16":
        policy = "mixed_bfloat16"
    if weights == "imagenet":
        weights = imagenet_weights(key) or weights
    with dtype_policy(policy):
        network = _network(name, weights)
    if taps is None:
        taps = default_tap(name) or last_of_stride_16(network)
    taps = (taps,) if isinstance(taps, str) else tuple(taps)
    layers = [layer.name for layer in network.layers]
    for tap in taps:
        if tap not in layers:
            raise ValueError(
                f"The network {name!r} has no layer {tap!r} for --tap or "
                f"--captioner_tap; its last ones are {', '.join(layers[-12:])}."
            )
    maps = {tap: network.get_layer(tap).output for tap in taps}
    if not trainable:
        maps = {tap: HalfPrecision(name=f"{tap}_map")(maps[tap]) for tap in taps}
    backbone = keras.Model(network.input, maps, name=key)
    if weights == "random":
        initialize_weights(backbone, seed)
    elif weights != "imagenet":
        load_weights_file(backbone, network, pathlib.Path(weights))
    if not keeps_float32:
        with dtype_policy(precision):
            backbone = fold_batch_normalization(backbone)
    backbone.trainable = trainable
    return backbone


def check_sizes(backbone: keras.Model, sizes: Iterable[int]) -> None:
    """Refuses sizes of images that a backbone cannot read.

    Args:
        backbone: Model from `build_backbone` with one tap.
        sizes: Sides of square images, in pixels.

    Raises:
        ValueError: When a size is too small, or the network is built for another; the
            message names `--scales`.
    """
    for size in sizes:
        side = backbone.inputs[0].shape[1]
        if side not in (None, size):
            raise ValueError(
                f"--scales={size}: {backbone.name} is built for images of one size, "
                f"say --scales={side}."
            )
        try:
            backbone.compute_output_shape((1, size, size, 3))
        except ValueError as error:
            (layer,) = backbone.output
            raise ValueError(
                f"--scales={size} is too small for {layer} of {backbone.name}."
            ) from error


def identity_backbone() -> keras.Model:
    """Builds the network that does nothing, with which the feature cache keeps images.

    Returns:
        A functional `keras.Model` named `images`. Input: as of `build_backbone`.
        Output: `{"pixels": float16 [batch, height, width, 3]}`, what it is given.
    """
    inputs = keras.Input((None, None, 3), name="pixels", dtype="float32")
    pixels = HalfPrecision(name="pixels_map")(inputs)
    return keras.Model(inputs, {"pixels": pixels}, name="images")


def _check_efficientnet(key, weights, trainable, mixed):
    """Refuses what would be another network than the downloaded one.

    Keras puts a layer more into EfficientNetB0 to B7, a division of the pixels, if it
    downloads their weights, and not otherwise.
    """
    if not key.startswith("efficientnetb"):
        return
    if (weights == "imagenet" and trainable) or (
        weights not in ("imagenet", "random") and not mixed
    ):
        raise ValueError(
            f"{key} takes --backbone_weights=imagenet, frozen, or random: with a file, "
            "or trained further, Keras builds it with other pixels. EfficientNetV2 and "
            "all other networks take files too."
        )


def _network(name, weights):
    """The whole network without its top, behind the normalization of its pixels."""
    known = find_network(name)
    if known.builder == "AlexNet":
        build = AlexNet
    else:
        build = getattr(keras.applications, known.builder)
    inputs = keras.Input((known.side, known.side, 3), name="pixels", dtype="float32")
    # The name of the layer stands in saved models.
    pixels = PixelNormalization(known.pixels, name="normalise")(inputs)
    download = "imagenet" if weights == "imagenet" else None
    try:
        network = build(include_top=False, weights=download, input_tensor=pixels)
    except Exception as error:
        if download is None:
            raise
        raise BackboneWeightsError(
            f"The ImageNet weights of {name} could not be loaded ({error}). Download "
            "them on another machine and pass the file: --backbone_weights=PATH "
            "(or train without any: --backbone_weights=random)."
        ) from error
    number_from_first(network)
    return network
