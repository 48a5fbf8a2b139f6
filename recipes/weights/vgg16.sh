#!/usr/bin/env bash
# result: annotator/presets/vgg16.safetensors, ImageNet's VGG16 in bfloat16
# data: Keras's vgg16_weights_tf_dim_ordering_tf_kernels_notop.h5, named behind the command
# time: seconds
# machine: any
# expect: 26 arrays, 29,429,376 bytes of weights, the same bytes each time
set -euo pipefail
file=$(realpath "$1")
cd "$(dirname "$0")/../.."
"${PYTHON:-python}" - "$file" <<'PROGRAM'
import sys

from annotator.backbones.backbone import build_backbone
from annotator.backbones.imagenet import package_weights

network = build_backbone("vgg16", "block5_conv3", sys.argv[1], precision="float32")
print(
    package_weights(
        network,
        source="VGG16, Visual Geometry Group, University of Oxford; ImageNet",
        license="CC BY 4.0",
        changes="convolutions alone, rounded to bfloat16",
    )
)
PROGRAM
