"""GIFs cut down to their first frame, before anything of them is decoded."""

import tensorflow as tf

_EXTENSION, _IMAGE, _TRAILER = ord("!"), ord(","), b";"
# No block is longer than that with its header; where the data end it finds zeros.
_PADDING = 2048
# Data come in pieces of up to 255 bytes, and each is a step. Encoders fill them: the
# largest image that is decoded has 400,000. Files of small ones keep a server busy, but
# a few thousand are allowed (XMP is text, whose letters are taken for sizes).
_MOST_PIECES = 1 << 19
_SMALL_PIECES = 1 << 12
_BYTES_OF_A_PIECE = 32


def first_frame(encoded: tf.Tensor) -> tuple[tf.Tensor, tf.Tensor]:
    """Cuts a GIF off behind its first frame, and says how large that frame is.

    A frame may be larger than the header says, and a small file may hold thousands;
    `tf.io.decode_image` decodes them all to return one. Pure TensorFlow in a graph.

    Args:
        encoded: Scalar string tensor that begins with `GIF8`.

    Returns:
        `(encoded, pixels)`: a scalar string, a GIF without a frame if there is none;
        and int64, width times height of the frame, or 0.

    Raises:
        tf.errors.InvalidArgumentError: When data come in countless small pieces.

    Reference:
        - GIF89a specification, sections 18 to 23.
    """
    full = tf.strings.length(encoded) // _BYTES_OF_A_PIECE
    most = tf.minimum(_SMALL_PIECES + full, _MOST_PIECES)
    padded = tf.strings.join([encoded, b"\0" * _PADDING])
    if tf.executing_eagerly():
        # Op by op, a walk over thousands of pieces would take seconds.
        position, image, pieces = _walk(padded.numpy().__getitem__, int(most))
    else:
        data = tf.io.decode_raw(padded, tf.uint8)

        def byte(position):
            return tf.cast(data[position], tf.int32)

        position, image, pieces = tf.autograph.to_graph(_walk)(byte, most)
    refusal = tf.debugging.Assert(
        pieces < most,
        ["A GIF of so many small pieces is refused; it has at least", pieces],
    )
    with tf.control_dependencies([refusal]):
        cut = tf.strings.join([tf.strings.substr(encoded, 0, position), _TRAILER])
    has_frame = tf.greater_equal(image, 0)
    sides = tf.strings.substr(padded, tf.maximum(image, 0) + 5, 4)
    sides = tf.cast(tf.io.decode_raw(sides, tf.uint16), tf.int64)
    return cut, tf.where(has_frame, sides[0] * sides[1], 0)


def _walk(byte, most):
    """`(end, begin, pieces)` of the first frame, given a function of a position.

    Plain Python, which AutoGraph makes a loop in a graph. `begin` is -1 if there is no
    frame; it ends after `most` pieces.
    """
    position = 13
    if byte(10) >= 128:
        position += 3 * 2 ** (byte(10) % 8 + 1)
    image = -1
    within = False
    pieces = 0
    while pieces < most and (within or (image < 0 and _begins(byte(position)))):
        pieces += 1
        value = byte(position)
        if within:
            # Data stand in pieces that begin with their size; size 0 ends the block.
            within = value > 0
            position += 1 + value
        elif value == _IMAGE:
            within = True
            image = position
            flags = byte(position + 9)
            position += 11
            if flags >= 128:
                position += 3 * 2 ** (flags % 8 + 1)
        else:
            within = True
            position += 2
    return position, image, pieces


def _begins(value):
    return value == _EXTENSION or value == _IMAGE
