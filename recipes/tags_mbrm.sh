#!/usr/bin/env bash
# result: MBRM on the mean descriptors of a grid's cells
# data: $ANNOTATOR_DATA/corel5k; 500 validation images, 217 words, five words an image
# time: about a minute, after the features
# machine: not kept
# expect: precision 38.66, recall 45.52, F1 41.81, N+ 155
set -euo pipefail
cd "$(dirname "$0")/.."
"${PYTHON:-python}" train.py --task=tagger --dataset=corel5k \
  --backbone=resnet50 --backbone_weights=imagenet --tap=conv4_block6_out \
  --tagger=mbrm --components=128 \
  --eval_split=validation --workdir=runs/recipes/tags_mbrm "$@"
