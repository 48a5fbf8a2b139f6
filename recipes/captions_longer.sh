#!/usr/bin/env bash
# result: the default, its search paid for longer captions
# data: $ANNOTATOR_DATA/flickr8k; the 1,000 images of the official dev split, 5 beams
# needs: pip install ".[coco]" and Java, for METEOR 1.5
# time: an hour
# machine: one core
# expect: BLEU-1 59.2, BLEU-2 42.0, BLEU-3 29.2, BLEU-4 19.8,
#   METEOR 21.0, CIDEr 50.6, ROUGE-L 46.5, distinct 93 %
# note: the weights behind these scores were picked by CIDEr at a length penalty of 1.0,
#   and learned from features that were rounded a little otherwise
set -euo pipefail
cd "$(dirname "$0")/.."
"${PYTHON:-python}" train.py --task=captioner --dataset=flickr8k \
  --backbone=resnet50 --backbone_weights=imagenet --captioner_tap=conv4_block6_out \
  --epochs=12 --select_by=cider --length_penalty=1.0 \
  --eval_split=validation --workdir=runs/recipes/captions_longer "$@"
