"""The normalization of each family of networks, by hand."""

import numpy as np
import pytest
import tensorflow as tf

from annotator.backbones.pixel_normalization import PixelNormalization


@pytest.mark.parametrize(
    "mode, expected",
    [
        ("caffe", [3 - 103.939, 2 - 116.779, 1 - 123.68]),
        ("tf", [1 / 127.5 - 1, 2 / 127.5 - 1, 3 / 127.5 - 1]),
        (
            "torch",
            [
                (1 / 255 - 0.485) / 0.229,
                (2 / 255 - 0.456) / 0.224,
                (3 / 255 - 0.406) / 0.225,
            ],
        ),
        (None, [1, 2, 3]),
    ],
)
def test_normalisation_by_hand(mode, expected):
    pixels = tf.constant([[[[1.0, 2.0, 3.0]]]])
    result = PixelNormalization(mode)(pixels)
    np.testing.assert_allclose(result[0, 0, 0], expected, rtol=1e-5)
