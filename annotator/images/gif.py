"""GIFs cut down to their first frame, before anything of them is decoded."""

import tensorflow as tf

_EXTENSION, _IMAGE, _TRAILER = ord("!"), ord(","), b";"
# No block is longer than that with its header; where the data end it finds zeros.
_PADDING = 2048
# Data come in pieces of up to 255 bytes, and pieces of one size that follow each other
# are a step, up to so many. Encoders fill them. Files of ever other sizes keep a server
# busy, but some thousands are allowed (XMP is text, whose letters are taken for sizes).
_RUN = 64
_MOST_STEPS = 1 << 14
_FEW_STEPS = 1 << 12
_BYTES_OF_A_STEP = 32
# A core decodes some 15 MB a second.
_MOST_BYTES = 3 << 23


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
        tf.errors.InvalidArgumentError: When data come in countless small pieces, or the
            first frame ends behind 25 MB.

    Reference:
        - GIF89a specification, sections 18 to 23.
    """
    full = tf.strings.length(encoded) // _BYTES_OF_A_STEP
    most = tf.minimum(_FEW_STEPS + full, _MOST_STEPS)
    padded = tf.strings.join([encoded, b"\0" * _PADDING])
    if tf.executing_eagerly():
        # Op by op, a walk over thousands of pieces would take seconds.
        content = padded.numpy()

        def equal_pieces(position):
            size = content[position]
            window = content[position : position + _RUN * (size + 1) : size + 1]
            return len(window) - len(window.lstrip(bytes([size]))) if size else 1

        position, image, steps = _walk(content.__getitem__, equal_pieces, int(most))
    else:
        data = tf.io.decode_raw(padded, tf.uint8)

        def byte(position):
            return tf.cast(data[position], tf.int32)

        def equal_pieces(position):
            stride = byte(position) + 1
            window = data[position : position + _RUN * stride : stride]
            is_equal = tf.cast(tf.equal(window, data[position]), tf.int32)
            count = tf.reduce_sum(tf.math.cumprod(is_equal))
            return tf.where(stride > 1, count, 1)

        position, image, steps = tf.autograph.to_graph(_walk)(byte, equal_pieces, most)
    refusal = tf.group(
        tf.debugging.Assert(
            steps < most,
            ["A GIF of so many small pieces is refused; it has at least", steps],
        ),
        tf.debugging.Assert(
            position <= _MOST_BYTES,
            [
                f"A GIF whose first frame ends behind {_MOST_BYTES} bytes is refused; "
                "it ends at",
                position,
            ],
        ),
    )
    with tf.control_dependencies([refusal]):
        cut = tf.strings.join([tf.strings.substr(encoded, 0, position), _TRAILER])
    has_frame = tf.greater_equal(image, 0)
    sides = tf.strings.substr(padded, tf.maximum(image, 0) + 5, 4)
    sides = tf.cast(tf.io.decode_raw(sides, tf.uint16), tf.int64)
    return cut, tf.where(has_frame, sides[0] * sides[1], 0)


def _walk(byte, equal_pieces, most):
    """`(end, begin, steps)` of the first frame, given functions of a position.

    Plain Python, which AutoGraph makes a loop in a graph. `begin` is -1 if there is no
    frame; it ends after `most` steps.
    """
    position = 13
    if byte(10) >= 128:
        position += 3 * 2 ** (byte(10) % 8 + 1)
    image = -1
    within = False
    steps = 0
    while steps < most and (within or (image < 0 and _begins(byte(position)))):
        steps += 1
        value = byte(position)
        if within:
            # Data stand in pieces that begin with their size; size 0 ends the block.
            within = value > 0
            position += (1 + value) * equal_pieces(position)
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
    return position, image, steps


def _begins(value):
    return value == _EXTENSION or value == _IMAGE
