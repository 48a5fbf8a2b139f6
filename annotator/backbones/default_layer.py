"""The layer that is read of a network for which none is known, found in its graph."""

import keras
import numpy as np

from annotator.keras_support import internals

_STRIDE = 16
# Pixels of a side where a network takes any size: large, so that what unpadded
# convolutions take off the border of a map does not look like another stride.
_SIDE = 1024
_PADDING = (keras.layers.ZeroPadding2D, keras.layers.Cropping2D)
_JOINING = (keras.layers.Add, keras.layers.Concatenate)


def last_of_stride_16(network: keras.Model) -> str:
    """Names the last layer whose maps have a sixteenth of an image's sides.

    It is one that all deeper layers get what they know from, so that no branch is
    missing: of a block with a shortcut the end, not what stands inside. Where there is
    none, as of networks whose cells read the two before them, it is the last layer that
    joins branches. Where it is no layer, but a sum of tensors, it is the last layer.

    Args:
        network: A network of `keras.applications` without its top, from pixels
            `[batch, height, width, 3]`.

    Returns:
        The name of the layer.

    Raises:
        ValueError: When no layer has that stride.
    """
    maps = {
        operation.name: operation.output
        for operation in network.operations
        if len(operation.output.shape) == 4 and not isinstance(operation, _PADDING)
    }
    model = keras.Model(network.input, maps)
    side = network.inputs[0].shape[1] or _SIDE
    shapes = model.compute_output_shape((1, side, side, 3))
    strided = [name for name in maps if _stride(side, shapes[name]) == _STRIDE]
    if not strided:
        raise ValueError(f"No layer of {network.name} has a stride of {_STRIDE}.")
    layers = {layer.name: layer for layer in network.layers if layer.name in strided}
    bottlenecks = [name for name in _bottlenecks(network) if name in strided]
    if bottlenecks:
        # A sum that is written with + is no layer: the layer before it is.
        return bottlenecks[-1] if bottlenecks[-1] in layers else list(layers)[-1]
    joining = [name for name in layers if isinstance(layers[name], _JOINING)]
    return (joining or list(layers))[-1]


def _stride(side, shape):
    """The power of two that a map's sides are nearest to, as part of the image's."""
    return 2 ** round(np.log2(side / shape[1]))


def _bottlenecks(network):
    """Names of the operations that all paths from the pixels to the end go through.

    In an order in which each comes after what it reads, these are the operations that
    no tensor is handed past.
    """
    maker, last_reader = {}, {}
    operations = list(network.operations)
    for i, operation in enumerate(operations):
        for output in keras.tree.flatten(operation.output):
            maker[id(output)] = i
        for tensors in internals.input_tensors(operation):
            for tensor in tensors:
                last_reader[maker[id(tensor)]] = i
    furthest = 0
    for i, operation in enumerate(operations):
        if furthest <= i:
            yield operation.name
        furthest = max(furthest, last_reader.get(i, i))
