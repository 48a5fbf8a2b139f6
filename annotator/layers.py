"""All layers of this package, registered with Keras for `.keras` files in scripts.

`import annotator.layers` is all that `keras.saving.load_model` needs.
"""

from annotator import captioner
from annotator.backbones import half_precision, pixel_normalization
from annotator.images import resize
from annotator.tagger import (
    calibration,
    mbrm,
    nearest_neighbors,
    tagger,
    top_tags,
    vlad,
    word_probabilities,
    word_scores,
)

__all__ = [
    "calibration",
    "captioner",
    "half_precision",
    "mbrm",
    "nearest_neighbors",
    "pixel_normalization",
    "resize",
    "tagger",
    "top_tags",
    "vlad",
    "word_probabilities",
    "word_scores",
]
