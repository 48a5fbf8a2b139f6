#!/usr/bin/env bash
# result: the paper's form: plain VLAD, means compared by L2
# data: $ANNOTATOR_DATA/corel5k; 500 validation images, 217 words, five words an image
# time: about a minute, after the features
# machine: not kept
# expect: precision 33.43, recall 52.21, F1 40.76, N+ 164
set -euo pipefail
cd "$(dirname "$0")/.."
"${PYTHON:-python}" train.py --task=tagger --dataset=corel5k \
  --backbone=resnet50 --backbone_weights=imagenet --tap=conv4_block6_out \
  --components=64 --codebook=64 --vlad=none --similarity=l2 \
  --covariance=0 --eval_split=validation --workdir=runs/recipes/tags_paper "$@"
