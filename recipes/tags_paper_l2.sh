#!/usr/bin/env bash
# result: the paper's form with VLAD vectors of length 1
# data: $ANNOTATOR_DATA/corel5k; 500 validation images, 217 words, five words an image
# time: about a minute, after the features
# machine: not kept
# expect: precision 34.03, recall 53.31, F1 41.54, N+ 166
set -euo pipefail
cd "$(dirname "$0")/.."
"${PYTHON:-python}" train.py --task=tagger --dataset=corel5k \
  --backbone=resnet50 --backbone_weights=imagenet --tap=conv4_block6_out \
  --components=64 --codebook=64 --vlad=l2 --similarity=l2 \
  --covariance=0 --eval_split=validation --workdir=runs/recipes/tags_paper_l2 "$@"
