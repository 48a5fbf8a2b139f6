"""Weights of a backbone: from a file, matched layer by layer, or random."""

import hashlib
import pathlib
import re
import zipfile

import h5py
import keras
import numpy as np
import safetensors
import safetensors.numpy

from annotator import loading
from annotator.backbones import alexnet, imagenet


class BackboneWeightsError(ValueError):
    """The requested weights cannot be had or do not fit the network."""


def weights_fingerprint(model: keras.Model) -> str:
    """Hashes the names, shapes and values of a model's weights.

    Args:
        model: A model whose layers have names.

    Returns:
        SHA-256, as hex.
    """
    digest = hashlib.sha256()
    for layer in model.layers:
        # Not all `variables`: the seed of a dropout differs in every process.
        for variable in layer.weights:
            values = np.ascontiguousarray(np.asarray(variable.value, np.float32))
            digest.update(f"{layer.name}/{variable.name} {values.shape}".encode())
            digest.update(values.data)
    return digest.hexdigest()


def initialize_weights(model: keras.Model, seed: int) -> None:
    """Draws He-normal kernels (He et al., 2015): ReLU activations keep their scale.

    Args:
        model: The model that gets them; weights other than kernels stay.
        seed: Seed of all kernels, each of which gets one of its own.
    """
    for index, layer in enumerate(model.layers):
        for variable in layer.weights:
            if variable.name.endswith("kernel"):
                initializer = keras.initializers.HeNormal(seed=seed * 100_003 + index)
                variable.assign(initializer(variable.shape, "float32"))


def number_from_first(network: keras.Model) -> None:
    """Renames the layers that have no name of their own: `conv2d`, `conv2d_1`, ...

    Keras numbers these as a process goes on, so that a second network would have other
    names than the first, and both others than their weights file.

    Args:
        network: A network of `keras.applications`.
    """
    names = _renumbered([layer.name for layer in network.layers], _unnamed(network))
    for layer in network.layers:
        layer.name = names[layer.name]


def load_weights_file(
    backbone: keras.Model, network: keras.Model, path: pathlib.Path
) -> None:
    """Gives a backbone the weights of a file.

    Args:
        backbone: Functional model of some of the layers of `network`, of its name.
        network: Network of `keras.applications` without top, after
            `number_from_first`.
        path: One of the files that `build_backbone` lists.

    Raises:
        BackboneWeightsError: When there is no such file, or it does not fit.
    """
    if not path.is_file():
        raise BackboneWeightsError(
            f"There is no weights file {path}; --backbone_weights takes 'imagenet', "
            "'random' or the path of a file."
        )
    if path.suffix == ".safetensors":
        _assign(backbone, set(), _read_safetensors(path, backbone.name), path)
    elif zipfile.is_zipfile(path):
        try:
            source = loading.model(path, compile=False)
        except ValueError as error:
            raise BackboneWeightsError(str(error)) from error
        stored = {layer.name: layer.get_weights() for layer in source.layers}
        _assign(backbone, _unnamed(network), stored, path)
    elif not h5py.is_hdf5(path):
        raise BackboneWeightsError(
            f"{path} is neither an HDF5 file nor a .keras archive; it may be a "
            "download that was cut off or an error page."
        )
    else:
        _load_hdf5(backbone, network, path)


def _load_hdf5(backbone, network, path):
    try:
        with loading.hdf5(path) as file:
            if not str(path).endswith(".weights.h5"):
                stored = _official_layout(file)
                return _assign(backbone, _unnamed(network), stored, path)
    except BackboneWeightsError:
        raise
    except (ValueError, OSError, KeyError) as error:
        raise BackboneWeightsError(str(error)) from error
    try:
        network.load_weights(path)
    except (ValueError, KeyError, OSError) as error:
        raise BackboneWeightsError(
            f"{path} does not hold the weights of the whole {backbone.name} "
            f"without its top, as Keras 3 saves them: {error}"
        ) from error


def _official_layout(file):
    """Layer name -> arrays, of the .h5 files that Keras publishes and `save` wrote."""
    root = file["model_weights"] if "model_weights" in file else file
    names = [_text(name) for name in root.attrs.get("layer_names", root.keys())]
    stored = {}
    for name in names:
        group = root[name]
        weights = [_text(weight) for weight in group.attrs.get("weight_names", ())]
        stored[name] = [np.asarray(group[weight]) for weight in weights]
    return stored


def _read_safetensors(path, name):
    """Layer name -> arrays, of a packaged file or of torchvision's AlexNet."""
    try:
        packaged = imagenet.read_packaged(path, name)
        if packaged is None and name == "alexnet":
            return alexnet.from_torchvision(safetensors.numpy.load_file(path))
    except (safetensors.SafetensorError, ValueError, AttributeError) as error:
        raise BackboneWeightsError(f"{path} cannot be read: {error}") from error
    if packaged is None:
        raise BackboneWeightsError(
            f"{path}: only alexnet takes .safetensors files, of torchvision, beside "
            f"what comes with the package; {name} takes Keras's files."
        )
    return packaged


def _text(name):
    return name.decode("utf-8") if isinstance(name, bytes) else name


def _assign(backbone, unnamed, stored, path):
    """Sets every weight of the backbone by layer name, or says which are missing."""
    names = _renumbered(stored, unnamed)
    stored = {names[name]: arrays for name, arrays in stored.items()}
    layers = [layer for layer in backbone.layers if layer.weights]
    missing = [layer.name for layer in layers if not stored.get(layer.name)]
    if missing:
        raise BackboneWeightsError(
            f"{path} lacks {len(missing)} of the {len(layers)} layers that "
            f"{backbone.name} needs up to its taps: {', '.join(missing)}."
        )
    for layer in layers:
        arrays = stored[layer.name]
        if isinstance(arrays, dict):
            names = [variable.name for variable in layer.weights]
            arrays = [arrays[name] for name in names if name in arrays]
        needed_shapes = [tuple(variable.shape) for variable in layer.weights]
        stored_shapes = [array.shape for array in arrays]
        if needed_shapes != stored_shapes:
            raise BackboneWeightsError(
                f"{path}: layer {layer.name} has weights of shapes {stored_shapes}, "
                f"{backbone.name} needs {needed_shapes}."
            )
        layer.set_weights(arrays)
        if isinstance(layer, keras.layers.Normalization):
            layer.finalize_state()  # it computes with a copy of its weights


def _unnamed(network):
    """The names without number that Keras gave to layers itself: `conv2d`, ..."""
    stems = {(type(layer), _numbered(layer.name)[0]) for layer in network.layers}
    return {
        stem
        for layer_class, stem in stems
        if stem.replace("_", "") == layer_class.__name__.lower()
    }


def _renumbered(names, stems):
    """Name -> name, the numbers behind each of the stems counted from the first."""
    numbers = {name: _numbered(name) for name in names}
    first = {}
    for stem, number in numbers.values():
        first[stem] = min(number, first.get(stem, number))
    renumbered = {}
    for name, (stem, number) in numbers.items():
        count = number - first[stem]
        new_name = stem if count == 0 else f"{stem}_{count}"
        renumbered[name] = new_name if stem in stems else name
    return renumbered


def _numbered(name):
    """A layer's name and the number behind it: `("conv2d", 3)` of `conv2d_3`."""
    stem, number = re.fullmatch(r"(.*?)(?:_(\d+))?", name).groups()
    return stem, int(number or 0)
