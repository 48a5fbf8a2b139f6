"""Presets: the defaults that suit a schedule or a data set."""

from typing import Any

# The captioner and its training as they were published.
PAPER: dict[str, Any] = {
    "layers": 4,
    "rounds": 1,
    "learning_rate": 0.1,
    "dense_rate": 0.2,
    "convolution_rate": 0.1,
    "epochs": 100,
    "patience": 100,
    "label_smoothing": 0.0,
}

# Defaults for the scenes drawn on the spot.
SHAPES: dict[str, Any] = {
    "backbone_weights": "random",
    "scales": (112,),
    "tap": "block4_conv3",
    "captioner_tap": "block4_conv3",
    "min_count": 1,
    "rounds": 1,  # the method whole
    "units": 192,
    "attention_units": 96,
    "dropout": 0.2,
    "epochs": 8,
    "caption_batch": 16,
    "label_smoothing": 0.0,
    "caption_flip": False,  # left would be right
    "learning_rate": 2e-3,
    "beams": 3,
}
