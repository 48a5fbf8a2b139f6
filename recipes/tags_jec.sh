#!/usr/bin/env bash
# result: JEC on the vectors of the default tagger
# data: $ANNOTATOR_DATA/corel5k; 500 validation images, 217 words, five words an image
# time: about a minute, after the features
# machine: not kept
# expect: precision 38.64, recall 50.91, F1 43.93, N+ 159
set -euo pipefail
cd "$(dirname "$0")/.."
"${PYTHON:-python}" train.py --task=tagger --dataset=corel5k \
  --backbone=resnet50 --backbone_weights=imagenet --tap=conv4_block6_out \
  --tagger=jec \
  --covariance=0 --eval_split=validation --workdir=runs/recipes/tags_jec "$@"
