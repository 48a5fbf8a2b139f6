"""Registers every layer of this package with Keras, for `.keras` files in scripts.

`import annotator.layers` is all that `keras.saving.load_model` needs.
"""

from annotator import captioner
from annotator.backbones import backbone
from annotator.images import resize
from annotator.tagger import (
    mbrm,
    nearest_neighbors,
    top_tags,
    vlad,
    word_probabilities,
    word_scores,
)

__all__ = [
    "backbone",
    "captioner",
    "mbrm",
    "nearest_neighbors",
    "resize",
    "top_tags",
    "vlad",
    "word_probabilities",
    "word_scores",
]
