"""The vector of an image that the consensus of its references is predicted from."""

import tensorflow as tf


def image_vectors(
    regions: tf.Tensor, region_mask: tf.Tensor | None = None
) -> tf.Tensor:
    """Means and deviations of the roots of regions, each half of length 1.

    Roots keep the few regions that shout from drowning the others.

    Args:
        regions: `[B, R, D]`, of any dtype; a negative value keeps its sign.
        region_mask: bool `[B, R]`, false for padding; by default there is none.

    Returns:
        float32 `[B, 2 D]`.
    """
    regions = tf.cast(tf.convert_to_tensor(regions), tf.float32)
    if region_mask is None:
        region_mask = tf.ones(tf.shape(regions)[:2], tf.bool)
    shares = tf.cast(region_mask, tf.float32)
    shares = tf.math.divide_no_nan(shares, tf.reduce_sum(shares, 1, keepdims=True))
    sizes = tf.abs(regions)
    roots = tf.sign(regions) * tf.sqrt(sizes)
    mean = tf.einsum("br,brd->bd", shares, roots)
    square = tf.einsum("br,brd->bd", shares, sizes)
    deviation = tf.sqrt(tf.maximum(square - tf.square(mean), 0.0))
    halves = [tf.math.l2_normalize(half, axis=-1) for half in (mean, deviation)]
    return tf.concat(halves, axis=-1)
