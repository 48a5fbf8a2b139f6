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
    "scales": (80,),
    # Both read one layer, so that the network runs once. Its 5 x 5 regions see a shape
    # whole, and cost a captioner a quarter of what the layer before it would.
    "tap": "block4_pool",
    "captioner_tap": "block4_pool",
    "components": 128,
    "covariance": 64,
    # Scenes have from 3 to 8 tags: those that are more probable than not.
    "top_k": 0,
    "tag_probability": 0.5,
    "min_count": 1,
    "units": 128,
    "attention_units": 64,
    "dropout": 0.3,
    "epochs": 6,
    "caption_batch": 8,  # there are few scenes: steps count for more than their size
    "label_smoothing": 0.0,
    "caption_flip": False,  # left would be right
    "learning_rate": 2e-3,
    "select_by": "cider",
    "beams": 3,
}
