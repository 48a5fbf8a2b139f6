"""Pixels: from the bytes of image files to what a backbone reads.

The public names come from their modules when they are first asked for: the processes
that convert `photos` know no TensorFlow.
"""

from typing import TYPE_CHECKING

from annotator.config.lazy import lazy_names

if TYPE_CHECKING:
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

__getattr__, __dir__ = lazy_names(
    __name__,
    {
        "Resize": "annotator.images.resize",
        "augment_images": "annotator.images.augment",
        "decode_ahead": "annotator.images.read_ahead",
        "decode_image": "annotator.images.decode",
        "encode_image": "annotator.images.encode",
        "map_ahead": "annotator.images.read_ahead",
        "resize_image": "annotator.images.resize",
    },
)
