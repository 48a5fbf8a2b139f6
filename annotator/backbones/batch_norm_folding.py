"""Batch normalization as a part of the convolution before it."""

import keras
import numpy as np

from annotator.keras_support import internals

_CONVOLUTIONS = (
    keras.layers.Conv2D,
    keras.layers.DepthwiseConv2D,
    keras.layers.SeparableConv2D,
)


def fold_batch_normalization(model: keras.Model) -> keras.Model:
    """Copies a model that is not to be trained, with fewer passes over its maps.

    A convolution whose maps are read by one batch normalization and by nothing else
    takes over its scale and its shift. The normalization stays as a layer that does
    nothing, so that all layers keep their names.

    Args:
        model: Functional `keras.Model` with float32 weights. Layers with a dtype of
            their own, set by their class, keep it; all others take the dtype policy in
            force.

    Returns:
        A functional model with the same inputs and outputs.

    Reference:
        - Jacob et al., "Quantization and training of neural networks for efficient
          integer-arithmetic-only inference", CVPR 2018, section 3.2.
    """
    folded = _foldable(model)
    idle = {normalization.name for normalization in folded.values()}

    def copied(layer):
        if layer.name in idle:
            return keras.layers.Identity(name=layer.name)
        settings = layer.get_config()
        settings.pop("dtype", None)
        if layer.name in folded:
            settings["use_bias"] = True
        return type(layer).from_config(settings)

    def call(layer, *args, **kwargs):
        if isinstance(layer, keras.layers.Identity):
            kwargs = {}  # those of the normalization
        return layer(*args, **kwargs)

    copy = keras.models.clone_model(model, clone_function=copied, call_function=call)
    for layer in model.layers:
        if layer.weights and layer.name not in idle:
            weights = layer.get_weights()
            if layer.name in folded:
                weights = _folded_weights(weights, folded[layer.name])
            target = copy.get_layer(layer.name)
            target.set_weights(weights)
            if isinstance(target, keras.layers.Normalization):
                target.finalize_state()  # it computes with a copy of its weights
    inputs = copy.inputs if isinstance(model.input, list) else copy.inputs[0]
    return keras.Model(inputs, copy.output, name=model.name)


def _foldable(model):
    """Name of a convolution -> the layer of batch normalization that it takes over."""
    readers = {}
    for operation in model.operations:
        for tensors in internals.input_tensors(operation):
            for tensor in tensors:
                readers.setdefault(id(tensor), []).append(operation)
    foldable = {}
    for layer in model.layers:
        if not isinstance(layer, _CONVOLUTIONS) or not _is_linear(layer):
            continue
        its_readers = readers.get(id(layer.output), [])
        if len(its_readers) != 1:
            continue
        reader = its_readers[0]
        if isinstance(reader, keras.layers.BatchNormalization) and (
            reader.axis in (-1, 3)
        ):
            foldable[layer.name] = reader
    return foldable


def _is_linear(convolution):
    return (
        convolution.activation is keras.activations.linear
        and convolution.data_format == "channels_last"
    )


def _folded_weights(weights, normalization):
    """Kernels and a bias that give what the normalization gave, computed in double."""
    *kernels, last, bias = weights if weights[-1].ndim == 1 else [*weights, 0.0]
    mean, variance = (
        np.float64(value)
        for value in (normalization.moving_mean, normalization.moving_variance)
    )
    gamma = 1.0 if normalization.gamma is None else np.float64(normalization.gamma)
    beta = 0.0 if normalization.beta is None else np.float64(normalization.beta)
    scale = gamma / np.sqrt(variance + normalization.epsilon)
    # A depthwise kernel has its channels in its last two dimensions.
    channels = last.shape[2:] if last.shape[-1] != scale.size else last.shape[3:]
    return [
        *kernels,
        np.float32(last * scale.reshape(channels)),
        np.float32(beta + (bias - mean) * scale),
    ]
