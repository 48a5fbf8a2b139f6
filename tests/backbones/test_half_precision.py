"""Feature maps as float16."""

import numpy as np
import tensorflow as tf

from annotator.backbones.half_precision import HalfPrecision


def test_maps_saturate_at_the_largest_half():
    maps = HalfPrecision()(tf.constant([1e6, -1e6, 1.5]))
    np.testing.assert_array_equal(maps, np.float16([65504, -65504, 1.5]))
