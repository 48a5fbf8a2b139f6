#!/usr/bin/env bash
# result: whitened word means, the tagger's default
# data: $ANNOTATOR_DATA/corel5k; 500 validation images, 217 words, five words an image
# time: about a minute, after the features
# machine: not kept
# expect: precision 45.81, recall 59.91, F1 51.92, N+ 184
set -euo pipefail
cd "$(dirname "$0")/.."
"${PYTHON:-python}" train.py --task=tagger --dataset=corel5k \
  --backbone=resnet50 --backbone_weights=imagenet --tap=conv4_block6_out \
  --eval_split=validation --workdir=runs/recipes/tags_means "$@"
