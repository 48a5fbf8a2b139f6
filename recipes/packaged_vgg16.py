"""Makes annotator/presets/vgg16.safetensors from the weights file that Keras publishes.

    python recipes/packaged_vgg16.py vgg16_weights_tf_dim_ordering_tf_kernels_notop.h5

It takes seconds; the file has 29,429,376 bytes of weights. The same input gives the
same bytes.
"""

import pathlib
import sys

import ml_dtypes
import numpy as np
import safetensors.numpy

from annotator import files
from annotator.backbones.backbone import build_backbone

OUTPUT = pathlib.Path(__file__).parents[1] / "annotator" / "presets"


def main(path: str) -> None:
    """Writes the file.

    Args:
        path: Keras's `.h5` file.
    """
    network = build_backbone("vgg16", "block5_conv3", path, precision="float32")
    arrays = {
        f"{layer.name}/{weight.name}": np.asarray(weight.value, ml_dtypes.bfloat16)
        for layer in network.layers
        for weight in layer.weights
    }
    about = {
        "layout": "keras",
        "network": "vgg16",
        "source": "VGG16, Visual Geometry Group, University of Oxford; ImageNet",
        "license": "CC BY 4.0",
        "changes": "convolutions alone, rounded to bfloat16",
    }
    with files.atomic_path(OUTPUT / "vgg16.safetensors") as temporary:
        safetensors.numpy.save_file(arrays, temporary, about)
    print(
        f"{len(arrays)} arrays, {sum(array.nbytes for array in arrays.values())} bytes"
    )


if __name__ == "__main__":
    main(*sys.argv[1:])
