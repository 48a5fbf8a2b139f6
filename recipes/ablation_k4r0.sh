#!/usr/bin/env bash
# result: four layers, at the ablation's budget
# data: $ANNOTATOR_DATA/flickr8k; the 1,000 images of the official dev split, 5 beams
# needs: pip install ".[coco]" and Java, for METEOR 1.5
# time: not kept
# machine: not kept
# expect: BLEU-1 63.4, BLEU-2 44.8, BLEU-3 31.1, BLEU-4 21.0,
#   METEOR 19.5, CIDEr 47.3, ROUGE-L 45.5, distinct 81 %
set -euo pipefail
cd "$(dirname "$0")/.."
"${PYTHON:-python}" train.py --task=captioner --dataset=flickr8k \
  --backbone=resnet50 --backbone_weights=imagenet --captioner_tap=conv4_block6_out \
  --layers=4 --rounds=0 --epochs=8 --dropout=0.5 --nocaption_flip \
  --select_by=bleu_4 \
  --eval_split=validation --workdir=runs/recipes/ablation_k4r0 "$@"
