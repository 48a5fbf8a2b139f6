"""Powers of regions: what a network is loudest about does not drown the rest."""

import tensorflow as tf


def signed_power(values: tf.Tensor, power: float) -> tf.Tensor:
    """The power of each number's size; a negative number keeps its sign.

    What a ReLU leaves is mostly 0 and else up to 90 deviations away from its mean: at
    0.5 no region outshouts the others.

    Args:
        values: Float tensor of any shape.
        power: The power, positive; 1 leaves all as it is.

    Returns:
        Of the same shape and type. A root has no slope at 0: there it passes no
        gradient on, in place of NaN.

    Source: Perronnin et al., "Improving the Fisher kernel for large-scale image
    classification", ECCV 2010 (of the pooled vector there).
    """
    if power == 1:
        return values
    nonzero = tf.where(values == 0, tf.ones_like(values), tf.abs(values))
    # Graphs take `sqrt` in place of `pow` by themselves, which differs in a last digit.
    sizes = tf.sqrt(nonzero) if power == 0.5 else tf.pow(nonzero, power)
    return tf.sign(values) * sizes
