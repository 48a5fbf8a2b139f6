"""Augmentation: other views of training images."""

from collections.abc import Sequence

import numpy as np
import tensorflow as tf


def augment_images(
    images: tf.Tensor | np.ndarray,
    size: int,
    seed: tf.Tensor | Sequence[int],
    indices: tf.Tensor | Sequence[int] | None = None,
    mirror: bool = True,
) -> tf.Tensor:
    """Makes other views of images: crops of several scales, flips, other colors.

    Each image gets a square of 3/4 to all of its side from anywhere in it, is mirrored
    half of the time (if at all), and has brightness, contrast and saturation changed by
    up to a fifth. Batches are treated in the graph. An image's view depends on the seed
    and its index alone, whatever images are beside it.

    Args:
        images: `[batch, height, width, 3]`, values 0 to 255.
        size: Side of the result in pixels.
        seed: int `[2]`.
        indices: int `[batch]`, where these images stand in the batch that they are a
            share of; 0 to batch - 1 by default.
        mirror: Whether images may be mirrored: not where left must stay left.

    Returns:
        float32 `[batch, size, size, 3]`, values 0 to 255.

    Reference:
        - Deng et al., "Deep image annotation model based on attention feedback
          mechanism", its training; the amounts are ours.
    """
    images = tf.cast(images, tf.float32)
    batch = tf.shape(images)[0]
    indices = tf.range(batch) if indices is None else tf.convert_to_tensor(indices)
    chance = tf.map_fn(
        lambda index: tf.random.stateless_uniform([7], tf.random.fold_in(seed, index)),
        indices,
        fn_output_signature=tf.TensorSpec([7]),
    )
    chance = tf.transpose(chance)
    scale = 0.75 + 0.25 * chance[0]
    top, left = (1 - scale) * chance[1], (1 - scale) * chance[2]
    right = left + scale
    mirrored = (chance[3] < 0.5) & mirror
    boxes = tf.stack(
        [
            top,
            tf.where(mirrored, right, left),
            top + scale,
            tf.where(mirrored, left, right),
        ],
        axis=1,
    )
    images = tf.image.crop_and_resize(images, boxes, tf.range(batch), (size, size))
    brightness, contrast, saturation = tf.unstack(
        (0.8 + 0.4 * chance[4:])[..., None, None, None]
    )
    images *= brightness
    mean = tf.reduce_mean(images, axis=(1, 2, 3), keepdims=True)
    images = mean + contrast * (images - mean)
    gray = tf.image.rgb_to_grayscale(images)
    images = gray + saturation * (images - gray)
    return tf.clip_by_value(images, 0.0, 255.0)
