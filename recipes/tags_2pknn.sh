#!/usr/bin/env bash
# result: 2PKNN on the vectors of the default tagger
# data: $ANNOTATOR_DATA/corel5k; 500 validation images, 217 words, five words an image
# time: about a minute, after the features
# machine: not kept
# expect: precision 40.02, recall 53.04, F1 45.62, N+ 160
set -euo pipefail
cd "$(dirname "$0")/.."
"${PYTHON:-python}" train.py --task=tagger --dataset=corel5k \
  --backbone=resnet50 --backbone_weights=imagenet --tap=conv4_block6_out \
  --tagger=2pknn \
  --covariance=0 --eval_split=validation --workdir=runs/recipes/tags_2pknn "$@"
