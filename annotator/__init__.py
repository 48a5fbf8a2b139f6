"""annotator: describes images with a caption and tags (TensorFlow/Keras)."""

__version__ = "0.1.0"
