"""annotator: describes images with a caption and tags (TensorFlow/Keras)."""

__version__ = "0.2.0"
