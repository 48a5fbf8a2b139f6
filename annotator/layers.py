"""All layers of this package, registered with Keras for `.keras` files in scripts.

`import annotator.layers` is all that `keras.saving.load_model` needs.
"""

from annotator import captioner
from annotator.backbones import half_precision, pixel_normalization
from annotator.images import resize
from annotator.tagger import (
    calibration,
    tagger,
    top_tags,
    word_probabilities,
    word_scores,
)
from annotator.tagger.exemplars import mbrm, nearest_neighbors
from annotator.tagger.lift import label_lift
from annotator.tagger.pooling import joined, mean, power, second_order, vlad
from annotator.tagger.rules import word_thresholds

__all__ = [
    "calibration",
    "captioner",
    "half_precision",
    "joined",
    "label_lift",
    "mbrm",
    "mean",
    "nearest_neighbors",
    "pixel_normalization",
    "power",
    "resize",
    "second_order",
    "tagger",
    "top_tags",
    "vlad",
    "word_probabilities",
    "word_scores",
    "word_thresholds",
]
