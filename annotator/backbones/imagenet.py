"""ImageNet weights that come with the package."""

import json
import os
import pathlib

import keras
import ml_dtypes
import numpy as np
import safetensors.numpy

from annotator import files
from annotator.backbones.networks import canonical_name

_FOLDER = pathlib.Path(__file__).parents[1] / "presets"
# Network -> the file that `keras.applications` would download.
_KERAS_FILES = {"vgg16": "vgg16_weights_tf_dim_ordering_tf_kernels_notop.h5"}


def has_packaged(network: str) -> bool:
    """Whether the package has the ImageNet weights of a network, in any case's name."""
    return canonical_name(network) in _KERAS_FILES


def imagenet_weights(network: str) -> pathlib.Path | None:
    """Finds the ImageNet weights that the package has for a network.

    They are those of `keras.applications`, rounded to bfloat16, which is what a machine
    with bfloat16 arithmetic computes with anyway. Where Keras has downloaded its own
    file already, that is to be used.

    Args:
        network: Name of the network, as of `annotator.backbones.networks`.

    Returns:
        A `.safetensors` file, or `None` if Keras is to be asked: it has its own file,
        or the package has none.
    """
    if network not in _KERAS_FILES:
        return None
    home = pathlib.Path(os.environ.get("KERAS_HOME") or "~/.keras").expanduser()
    if (home / "models" / _KERAS_FILES[network]).is_file():
        return None
    return _FOLDER / f"{network}.safetensors"


def package_weights(
    backbone: keras.Model, path: pathlib.Path | None = None, **about: str
) -> pathlib.Path:
    """Writes weights in bfloat16; equal weights give equal bytes.

    Args:
        backbone: A backbone with the weights to keep, in float32.
        path: The `.safetensors` file; by default the one that `imagenet_weights` finds.
        **about: What the file says of them: `source`, `license`.

    Returns:
        The path written.
    """
    arrays = {
        f"{layer.name}/{weight.name}": np.asarray(weight.value, ml_dtypes.bfloat16)
        for layer in backbone.layers
        for weight in layer.weights
    }
    if path is None:
        path = _FOLDER / f"{backbone.name}.safetensors"
    path.parent.mkdir(parents=True, exist_ok=True)
    # One entry: several would stand in the file in an order of their own.
    about = {"layout": "keras", "network": backbone.name, **about}
    with files.atomic_path(path) as temporary:
        safetensors.numpy.save_file(arrays, temporary, {"about": json.dumps(about)})
    path.chmod(0o644)
    return path


def read_packaged(path: pathlib.Path, network: str) -> dict | None:
    """Reads a file that `package_weights` wrote.

    Args:
        path: A `.safetensors` file.
        network: Name of the network.

    Returns:
        Layer name -> weight name -> array; `None` if the file is another network's, or
        no packaged one.
    """
    with safetensors.safe_open(path, "np") as file:
        about = json.loads((file.metadata() or {}).get("about", "{}"))
        if (about.get("layout"), about.get("network")) != ("keras", network):
            return None
        stored: dict[str, dict[str, np.ndarray]] = {}
        for key in file.keys():
            layer, _, weight = key.partition("/")
            array = file.get_tensor(key).astype(np.float32)
            stored.setdefault(layer, {})[weight] = array
    return stored
