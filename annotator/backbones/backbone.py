"""Convolutional backbones of `keras.applications`: raw RGB in, feature maps out.

Each network's own normalization (channel order, means, scale) stands inside the
graph, so nothing outside this module knows of it.
"""

import contextlib
import hashlib
import inspect
import pathlib

import keras
import numpy as np
import tensorflow as tf

from annotator.backbones.alexnet import AlexNet
from annotator.backbones.batch_norm_folding import fold_batch_normalization
from annotator.backbones.weights import (
    BackboneWeightsError,
    load_weights_file,
    number_from_first,
)

PRECISIONS = ("auto", "float32", "bfloat16")
# Published layers: descriptors of the tagger, regions of the captioner, and what the
# tagger that is trained together with its backbone reads.
_DEFAULT_TAPS = {
    "tagger": {
        "alexnet": "conv5",
        "vgg16": "block5_conv2",
        "vgg19": "block5_conv2",
        "resnet50": "conv4_block6_out",
    },
    "captioner": {
        "alexnet": "conv5",
        "vgg16": "block5_conv3",
        "vgg19": "block5_conv4",
        "resnet50": "conv4_block6_out",
    },
}
_DEFAULT_TAPS["finetuned"] = {**_DEFAULT_TAPS["tagger"], "alexnet": "fc7"}

# What each family of keras.applications does to pixels, in the terms of
# keras.applications.imagenet_utils.preprocess_input. Networks that are not named here
# begin with a layer that normalizes.
_NORMALISATION = {
    "caffe": ("vgg16", "vgg19", "resnet50", "resnet101", "resnet152"),
    "tf": (
        "inceptionresnetv2",
        "inceptionv3",
        "mobilenet",
        "mobilenetv2",
        "nasnetlarge",
        "nasnetmobile",
        "resnet50v2",
        "resnet101v2",
        "resnet152v2",
        "xception",
    ),
    "torch": ("alexnet", "densenet121", "densenet169", "densenet201"),
}

# The largest finite half-precision number: feature maps saturate there.
_HALF_MAX = 65504.0


def build_backbone(
    name="vgg16",
    taps=None,
    weights="imagenet",
    precision="auto",
    seed=0,
    trainable=False,
    mixed=False,
):
    """Builds a network of `keras.applications`, or AlexNet, up to named layers.

    Args:
        name: A network of `keras.applications`, any case, with or without
            underscores: `"vgg16"`, `"resnet50"`, `"mobilenet_v2"`, ... or `"alexnet"`.
        taps: Name of the layer to read, or a sequence of names. By default
            `default_tap(name)`. A layer without a name of its own is called after its
            class and place, as in a new process: `"add"`, `"add_1"`, ...
        weights: `"imagenet"` (downloaded by Keras), `"random"` (He-normal kernels from
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
        `[batch, height, width, 3]`, RGB, 0 to 255. Output: a dict from tap to
        `[batch, h, w, channels]`.

    Raises:
        ValueError: If the network, a tap or the precision is unknown.
        BackboneWeightsError: If the weights cannot be had or do not fit.
    """
    key, application = _application(name)
    _check_efficientnet(key, weights, trainable, mixed)
    taps = default_tap(name) if taps is None else taps
    taps = (taps,) if isinstance(taps, str) else tuple(taps)
    precision = resolve_precision(precision)
    keeps_float32 = trainable or mixed
    policy = "float32"
    if keeps_float32 and precision == "bfloat16":
        policy = "mixed_bfloat16"
    with _dtype_policy(policy):
        pixels = keras.Input((None, None, 3), name="pixels", dtype="float32")
        normalized = PixelNormalization(_normalization(key), name="normalise")(pixels)
        network = _network(application, normalized, weights, name)
    known = [layer.name for layer in network.layers]
    for tap in taps:
        if tap not in known:
            raise ValueError(
                f"The network {name!r} has no layer {tap!r} for --tap or "
                f"--captioner_tap; its last ones are {', '.join(known[-12:])}."
            )
    outputs = {tap: network.get_layer(tap).output for tap in taps}
    if not trainable:
        outputs = {tap: HalfPrecision(name=f"{tap}_map")(outputs[tap]) for tap in taps}
    backbone = keras.Model(network.input, outputs, name=key)
    if weights == "random":
        _initialise(backbone, seed)
    elif weights != "imagenet":
        load_weights_file(backbone, network, pathlib.Path(weights))
    if not keeps_float32:
        with _dtype_policy(precision):
            backbone = fold_batch_normalization(backbone)
    backbone.trainable = trainable
    return backbone


def default_tap(name, task="tagger"):
    """The layer of a network that a task reads unless another is asked for.

    Args:
        name: As in `build_backbone`.
        task: `"tagger"`, `"captioner"`, or `"finetuned"`, the tagger that is trained
            together with its backbone.

    Raises:
        ValueError: If the network is unknown, or has no default.
    """
    key, application = _application(name)
    taps = _DEFAULT_TAPS[task]
    if key not in taps:
        flag = "--captioner_tap" if task == "captioner" else "--tap"
        raise ValueError(
            f"Which layer of {name} shall the {task} read? Only {', '.join(taps)} have "
            f"a default; say {flag}=LAYER, with a name out of "
            f"keras.applications.{application.__name__}(weights=None).summary()."
        )
    return taps[key]


def pixels():
    """The network that does nothing: its one tap, `pixels`, are the pixels it is given.

    It lets the feature cache keep images.
    """
    inputs = keras.Input((None, None, 3), name="pixels", dtype="float32")
    kept = HalfPrecision(name="pixels_map")(inputs)
    return keras.Model(inputs, {"pixels": kept}, name="images")


def resolve_precision(precision="auto"):
    """The precision that `"auto"` stands for on this machine.

    Returns:
        `"bfloat16"` where the hardware has bfloat16 arithmetic (a CPU with AMX or
        AVX512-BF16, a GPU of compute capability 8.0 or later, a TPU), else
        `"float32"`; any other precision is returned as it is.

    Raises:
        ValueError: If `precision` is not one of `PRECISIONS`.
    """
    if precision not in PRECISIONS:
        raise ValueError(f"precision must be one of {PRECISIONS}, got {precision!r}.")
    if precision != "auto":
        return precision
    if tf.config.list_logical_devices("TPU"):
        return "bfloat16"
    gpus = tf.config.list_physical_devices("GPU")
    if gpus:
        details = tf.config.experimental.get_device_details(gpus[0])
        native = details.get("compute_capability", (0, 0)) >= (8, 0)
        return "bfloat16" if native else "float32"
    # Linux only; elsewhere the file is missing and float32 is the safe answer.
    with contextlib.suppress(OSError):
        text = pathlib.Path("/proc/cpuinfo").read_text(encoding="utf-8")
        if "amx_bf16" in text or "avx512_bf16" in text:
            return "bfloat16"
    return "float32"


def weights_fingerprint(model):
    """SHA-256 over the names, shapes and values of a model's weights, as hex."""
    digest = hashlib.sha256()
    for layer in model.layers:
        # Not all `variables`: the seed of a dropout differs in every process.
        for variable in layer.weights:
            values = np.ascontiguousarray(np.asarray(variable.value, np.float32))
            digest.update(f"{layer.name}/{variable.name} {values.shape}".encode())
            digest.update(values)
    return digest.hexdigest()


@keras.saving.register_keras_serializable(package="annotator")
class PixelNormalization(keras.layers.Layer):
    """RGB pixels 0 to 255 to what a network of `keras.applications` was trained on.

    Args:
        mode: `"caffe"` (BGR, ImageNet means subtracted), `"tf"` (-1 to 1), `"torch"`
            (ImageNet means and deviations), or `None` (the network does it itself).
    """

    def __init__(self, mode, **kwargs):
        # Means are subtracted in float32 whatever the network computes in.
        super().__init__(**{**kwargs, "dtype": "float32", "trainable": False})
        self.mode = mode

    def call(self, pixels):
        if self.mode is None:
            return pixels
        return keras.applications.imagenet_utils.preprocess_input(
            pixels, data_format="channels_last", mode=self.mode
        )

    def compute_output_shape(self, input_shape):
        return input_shape

    def get_config(self):
        return {**super().get_config(), "mode": self.mode}


@keras.saving.register_keras_serializable(package="annotator")
class HalfPrecision(keras.layers.Layer):
    """Feature maps as they are stored: float16, saturated at its largest number."""

    def __init__(self, **kwargs):
        super().__init__(**{**kwargs, "dtype": "float16", "trainable": False})
        self.autocast = False

    def call(self, maps):
        maps = keras.ops.clip(keras.ops.cast(maps, "float32"), -_HALF_MAX, _HALF_MAX)
        return keras.ops.cast(maps, "float16")

    def compute_output_shape(self, input_shape):
        return input_shape


def _application(name):
    """The key of a network (its name without case and underscores) and its builder."""
    builders = {
        attribute.lower(): builder
        for attribute, builder in vars(keras.applications).items()
        if inspect.isfunction(builder)
    }
    builders["alexnet"] = AlexNet
    key = name.lower().replace("_", "").replace("-", "")
    if key not in builders:
        raise ValueError(
            f"Unknown backbone {name!r}; there are {', '.join(sorted(builders))}."
        )
    return key, builders[key]


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


def _normalization(key):
    return next((mode for mode, keys in _NORMALISATION.items() if key in keys), None)


@contextlib.contextmanager
def _dtype_policy(policy):
    """keras.applications takes its precision from the global policy alone."""
    previous = keras.config.dtype_policy()
    keras.config.set_dtype_policy(policy)
    try:
        yield
    finally:
        keras.config.set_dtype_policy(previous)


def _network(application, inputs, weights, name):
    download = "imagenet" if weights == "imagenet" else None
    try:
        network = application(include_top=False, weights=download, input_tensor=inputs)
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


def _initialise(model, seed):
    """He-normal kernels (He et al., 2015): ReLU activations keep their scale."""
    for index, layer in enumerate(model.layers):
        for variable in layer.weights:
            if variable.name.endswith("kernel"):
                initializer = keras.initializers.HeNormal(seed=seed * 100_003 + index)
                variable.assign(initializer(variable.shape, "float32"))
