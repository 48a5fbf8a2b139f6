"""What comes ready with the package: weights of networks."""

import os
import pathlib

_FOLDER = pathlib.Path(__file__).parent
# Network -> the file that `keras.applications` would download.
_KERAS_FILES = {"vgg16": "vgg16_weights_tf_dim_ordering_tf_kernels_notop.h5"}


def imagenet_weights(network: str) -> pathlib.Path | None:
    """Finds the ImageNet weights that the package has for a network.

    They are those of `keras.applications`, rounded to bfloat16, which is what a machine
    with bfloat16 arithmetic computes with anyway. Where Keras has downloaded its own
    file already, that is to be used.

    Args:
        network: Name of the network, as of `annotator.backbones.canonical_name`.

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
