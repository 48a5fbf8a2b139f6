"""Resizing: the square view of an image that a backbone reads.

Training, evaluation and the exported graphs all call `resize_image`, so a SavedModel
cannot disagree with the training that made it.
"""

from typing import Any

import keras
import numpy as np
import tensorflow as tf

ASPECTS = ("squash", "center_crop")
METHODS = ("bilinear", "bicubic", "area", "lanczos3")
# The longest side, as of JPEG.
MAX_SIDE = 65_535


def resize_image(
    image: tf.Tensor | np.ndarray,
    size: int,
    aspect: str = "squash",
    method: str = "bilinear",
    flip: bool = False,
) -> tf.Tensor:
    """Resizes images to a square, with antialiasing.

    Args:
        image: `[height, width, 3]` or `[batch, height, width, 3]`, any real dtype,
            values 0 to 255.
        size: Side of the result in pixels.
        aspect: `"squash"` changes the aspect ratio, as this field's published features
            were made; `"center_crop"` keeps it and cuts the longer side at both ends
            (the same as scaling the shorter side to `size` and cropping the center).
        method: One of `METHODS`.
        flip: Whether to mirror the image left to right.

    Returns:
        float32 tensor `[(batch,) size, size, 3]`, values 0 to 255.

    Raises:
        ValueError: When `size`, `aspect` or `method` is not one of those stated.
        tf.errors.InvalidArgumentError: When a side has more than `MAX_SIDE` pixels.
    """
    if size < 1:
        raise ValueError(f"size must be at least 1 pixel, got {size}.")
    if aspect not in ASPECTS:
        raise ValueError(f"aspect must be one of {ASPECTS}, got {aspect!r}.")
    if method not in METHODS:
        raise ValueError(f"method must be one of {METHODS}, got {method!r}.")
    image = tf.convert_to_tensor(image)
    height, width = tf.shape(image)[-3], tf.shape(image)[-2]
    refusal = tf.debugging.Assert(
        tf.maximum(height, width) <= MAX_SIDE,
        [
            f"An image with a side of more than {MAX_SIDE} pixels is refused; it has",
            height,
            width,
        ],
    )
    # Resizing takes memory by the side of an image, whatever its area.
    with tf.control_dependencies([refusal]):
        image = tf.identity(image)
    if aspect == "center_crop":
        side = tf.minimum(height, width)
        top, left = (height - side) // 2, (width - side) // 2
        image = image[..., top : top + side, left : left + side, :]
    image = tf.image.resize(image, (size, size), method=method, antialias=True)
    # Bicubic and Lanczos kernels overshoot at edges.
    image = tf.clip_by_value(tf.cast(image, tf.float32), 0.0, 255.0)
    return image[..., ::-1, :] if flip else image


@keras.saving.register_keras_serializable(package="annotator")
class Resize(keras.layers.Layer):
    """`resize_image` as a layer: one view of an image.

    Args:
        size: Side of the result in pixels.
        aspect: `"squash"` or `"center_crop"`, as in `resize_image`.
        method: One of `METHODS`.
        flip: Whether to mirror the image left to right.
        **kwargs: Keyword arguments of `keras.layers.Layer`.

    Call arguments:
        images: `[batch, height, width, 3]` or `[height, width, 3]`, RGB, 0 to 255.

    Output shape:
        float32 `[(batch,) size, size, 3]`.
    """

    def __init__(
        self,
        size: int = 224,
        aspect: str = "squash",
        method: str = "bilinear",
        flip: bool = False,
        **kwargs: Any,
    ) -> None:
        # Pixels never pass through half precision before they are normalized.
        super().__init__(**{**kwargs, "dtype": "float32", "trainable": False})
        self.size = size
        self.aspect = aspect
        self.method = method
        self.flip = flip

    def call(self, images: tf.Tensor) -> tf.Tensor:
        return resize_image(images, self.size, self.aspect, self.method, self.flip)

    def compute_output_shape(
        self, input_shape: tuple[int | None, ...]
    ) -> tuple[int | None, ...]:
        return (*input_shape[:-3], self.size, self.size, 3)

    def get_config(self) -> dict[str, Any]:
        return {**super().get_config(), **self.view}

    @property
    def view(self) -> dict[str, Any]:
        """The settings that decide the pixels, as a JSON-ready dict."""
        return {
            "size": self.size,
            "aspect": self.aspect,
            "method": self.method,
            "flip": self.flip,
        }
