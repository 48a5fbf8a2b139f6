"""Pixels: from the bytes of image files to what a backbone reads."""

from annotator.images.augment import augment_images
from annotator.images.decode import decode_image
from annotator.images.encode import encode_image
from annotator.images.read_ahead import decode_ahead, map_ahead
from annotator.images.resize import Resize, resize_image

__all__ = [
    "Resize",
    "augment_images",
    "decode_ahead",
    "decode_image",
    "encode_image",
    "map_ahead",
    "resize_image",
]
