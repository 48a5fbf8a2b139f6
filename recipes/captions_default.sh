#!/usr/bin/env bash
# result: two layers, no feedback: the captioner's default
# data: $ANNOTATOR_DATA/flickr8k; the 1,000 images of the official dev split, 5 beams
# needs: pip install ".[coco]" and Java, for METEOR 1.5
# time: an hour
# machine: one core
# expect: BLEU-1 62.1, BLEU-2 44.1, BLEU-3 30.8, BLEU-4 21.0,
#   METEOR 20.3, CIDEr 51.3, ROUGE-L 46.3, distinct 88 %
# note: the weights behind these scores were picked by CIDEr at a length penalty of 1.0,
#   and learned from features that were rounded a little otherwise
set -euo pipefail
cd "$(dirname "$0")/.."
"${PYTHON:-python}" train.py --task=captioner --dataset=flickr8k \
  --backbone=resnet50 --backbone_weights=imagenet --captioner_tap=conv4_block6_out \
  --epochs=12 --select_by=cider \
  --eval_split=validation --workdir=runs/recipes/captions_default "$@"
