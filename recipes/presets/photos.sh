#!/usr/bin/env bash
# result: annotator/presets/photos, what `annotate` uses where no model is named
# data: $ANNOTATOR_DATA/flickr8k and $ANNOTATOR_DATA/corel5k; no test image is read
# time: some hours on two cores; features take half of them
# machine: any
set -euo pipefail
cd "$(dirname "$0")/../.."
python=${PYTHON:-python}
"$python" train.py --task=captioner --dataset=flickr8k --nocaption_flip \
  --region_power=0.5 --epochs=6 --select_by=cider --norerank \
  --workdir=runs/recipes/photos_start "$@"
"$python" train.py --task=captioner --dataset=flickr8k \
  --init_from=runs/recipes/photos_start --region_power=0.5 --epochs=6 \
  --learning_rate=6e-4 --weight_decay=0.1 --select_by=cider --norerank \
  --workdir=runs/recipes/photos_twelve "$@"
"$python" train.py --task=captioner --dataset=flickr8k \
  --init_from=runs/recipes/photos_twelve --region_power=0.5 --epochs=0 \
  --self_critical_epochs=8 --self_critical_rate=5e-5 --self_critical_temperature=0.5 \
  --weight_decay=0.1 --select_by=cider --patience=8 \
  --workdir=runs/recipes/photos_captioner "$@"
"$python" train.py --task=tagger --dataset=corel5k+flickr8k --caption_tags=40 \
  --rank_by=probability --workdir=runs/recipes/photos_tagger "$@"
"$python" -c 'import annotator
annotator.save_preset(
    "annotator/presets/photos",
    "runs/recipes/photos_captioner",
    "runs/recipes/photos_tagger",
)'
"$python" recipes/presets/picture.py
