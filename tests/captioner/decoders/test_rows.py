import numpy as np
import tensorflow as tf

from annotator.captioner.decoders.rows import group_rows, repeat_rows


def test_captions_of_an_image_stand_in_succession():
    images = tf.constant([[1, 2], [3, 4]])
    (rows,) = repeat_rows((images,), 3)
    np.testing.assert_array_equal(rows[:, 0], [1, 1, 1, 3, 3, 3])
    grouped = group_rows(rows, 2)
    assert grouped.shape == (2, 3, 2)
    np.testing.assert_array_equal(grouped[:, 0], images)
    np.testing.assert_array_equal(grouped[:, 2], images)
