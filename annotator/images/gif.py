"""GIFs cut down to their first frame, before anything of them is decoded."""

import tensorflow as tf

_EXTENSION, _IMAGE, _TRAILER = ord("!"), ord(","), b";"
_BLOCKS = (_EXTENSION, _IMAGE)
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
    position, image, steps = _walk(padded, most)
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


def _walk(padded, most):
    """`(end, begin, steps)` of the first frame.

    `begin` is -1 if there is no frame; it ends after `most` steps.
    """
    # A loop that AutoGraph makes of plain Python would take a second to be traced.
    data = tf.io.decode_raw(padded, tf.uint8)

    def byte(position):
        return tf.cast(data[position], tf.int32)

    def table_size(flags):
        return tf.where(flags >= 128, 3 * tf.bitwise.left_shift(2, flags % 8), 0)

    def equal_pieces(position, size):
        stride = size + 1
        window = data[position : position + _RUN * stride : stride]
        is_equal = tf.cast(tf.equal(window, data[position]), tf.int32)
        return tf.where(size > 0, tf.reduce_sum(tf.math.cumprod(is_equal)), 1)

    def goes_on(position, image, within, steps):
        begins = tf.reduce_any(byte(position) == list(_BLOCKS))
        return (steps < most) & (within | ((image < 0) & begins))

    def step(position, image, within, steps):
        value = byte(position)
        begins_image = ~within & (value == _IMAGE)
        length = tf.where(
            within,
            # Data stand in pieces that begin with their size; size 0 ends the block.
            (1 + value) * equal_pieces(position, value),
            # Where no image begins, these nine bytes may say anything.
            tf.where(begins_image, 11 + table_size(byte(position + 9)), 2),
        )
        image = tf.where(begins_image, position, image)
        return position + length, image, ~within | (value > 0), steps + 1

    zero = tf.constant(0)
    position, image, _, steps = tf.while_loop(
        goes_on,
        step,
        (13 + table_size(byte(10)), zero - 1, tf.constant(False), zero),
        parallel_iterations=1,
    )
    return position, image, steps
