"""AlexNet, which `keras.applications` lacks, as a network of its kind."""

from collections.abc import Mapping

import keras
import numpy as np
import tensorflow as tf
from keras import Model, layers, utils

# Layers of `AlexNet` by their names in torchvision's `alexnet`.
_TORCHVISION = {
    "features.0": "conv1",
    "features.3": "conv2",
    "features.6": "conv3",
    "features.8": "conv4",
    "features.10": "conv5",
    "classifier.1": "fc6",
    "classifier.4": "fc7",
}


def AlexNet(
    include_top: bool = False,
    weights: None = None,
    input_tensor: tf.Tensor | None = None,
    name: str = "alexnet",
) -> keras.Model:
    """Builds AlexNet in its form of one column, without the layer of 1,000 classes.

    The fully connected layers are convolutions, which compute the same on one window
    of 224 x 224 pixels and go on over larger images: `fc6` and `fc7` give
    `[batch, 1, 1, 4096]` at 224, and `[batch, 2, 2, 4096]` at 256. Dropout is left to
    what learns from the network.

    Args:
        include_top: Whether to add the layer of classes; must be false.
        weights: Must be `None`: no file of Keras's has them.
        input_tensor: Symbolic float tensor `[batch, height, width, 3]`, RGB, with
            ImageNet's mean and deviation taken out. At least 63 pixels a side give
            maps of `conv1` to `pool5`; `fc6` needs 223.
        name: Name of the model.

    Returns:
        A functional `keras.Model` from what `input_tensor` is computed from to the map
        of `fc7`.

    Raises:
        ValueError: When a top or weights are asked for.

    Reference:
        - Krizhevsky, "One weird trick for parallelizing convolutional neural
          networks", 2014, the network of torchvision's `alexnet`.
    """
    if include_top:
        raise ValueError("AlexNet has no layer of classes here.")
    if weights is not None:
        raise ValueError(
            "Keras has no weights of AlexNet, torchvision has: python -c 'import "
            "safetensors.torch as s, torchvision as t; s.save_file(t.models.alexnet("
            'weights="IMAGENET1K_V1").state_dict(), "alexnet.safetensors")\''
        )
    x = layers.ZeroPadding2D(2, name="conv1_pad")(input_tensor)
    x = _convolution(x, 64, 11, "conv1", strides=4)
    x = layers.MaxPooling2D(3, 2, name="pool1")(x)
    x = _convolution(x, 192, 5, "conv2", padding="same")
    x = layers.MaxPooling2D(3, 2, name="pool2")(x)
    x = _convolution(x, 384, 3, "conv3", padding="same")
    x = _convolution(x, 256, 3, "conv4", padding="same")
    x = _convolution(x, 256, 3, "conv5", padding="same")
    x = layers.MaxPooling2D(3, 2, name="pool5")(x)
    x = _convolution(x, 4096, 6, "fc6")
    x = _convolution(x, 4096, 1, "fc7")
    (pixels,) = utils.get_source_inputs(input_tensor)
    return Model(pixels, x, name=name)


def from_torchvision(
    arrays: Mapping[str, np.ndarray],
) -> dict[str, list[np.ndarray]]:
    """Converts the weights of torchvision's `alexnet` to those of the layers here.

    Args:
        arrays: Dict from the names of its `state_dict()` to float arrays.

    Returns:
        Dict from layer to `[kernel, bias]`. What is missing in `arrays`, or has
        another rank than it should, is left out.
    """
    weights = {}
    for theirs, ours in _TORCHVISION.items():
        kernel = arrays.get(f"{theirs}.weight")
        bias = arrays.get(f"{theirs}.bias")
        if kernel is None or bias is None:
            continue
        if ours == "fc6" and kernel.shape[-1] == 256 * 6 * 6:
            kernel = kernel.reshape(-1, 256, 6, 6)
        elif ours == "fc7":
            kernel = kernel[..., None, None]
        if kernel.ndim == 4:
            weights[ours] = [np.transpose(kernel, (2, 3, 1, 0)), bias]
    return weights


def _convolution(x, filters, size, name, strides=1, padding="valid"):
    layer = layers.Conv2D(filters, size, strides, padding, activation="relu", name=name)
    return layer(x)
