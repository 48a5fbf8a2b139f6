"""BMP decoding with what `tf.io.decode_bmp` leaves out: palette and kind of alpha."""

import tensorflow as tf

# Values of the field "compression".
_NONE, _MASKS = 0, 3
# Where red, green and blue stand in 32 bits; TensorFlow knows no other order.
_COLOR_MASKS = (0x00FF0000, 0x0000FF00, 0x000000FF)
# The sizes of BITMAPINFOHEADER and of BITMAPV5HEADER. The first with a mask of alpha
# has 56 bytes.
_SMALLEST, _WITH_ALPHA, _LARGEST = 40, 56, 124
_FILE_HEADER = 14
_COLORS = 256


def decode(encoded: tf.Tensor) -> tf.Tensor:
    """Decodes a BMP of 8 bits with a palette, or of 24 or 32 bits.

    `tf.io.decode_bmp` returns the indices of a palette as if they were gray, and the
    fourth byte of 32 bits as alpha, which is unused and mostly 0 unless the header has
    a mask for it. Pure TensorFlow: it runs in a graph.

    Args:
        encoded: Scalar string tensor that begins with `BM`.

    Returns:
        uint8 tensor `[height, width, 3]`, or `[height, width, 4]` with alpha.

    Raises:
        tf.errors.InvalidArgumentError: When the pixels are compressed or stored in
            another way, or the data are damaged.

    Reference:
        - Microsoft, Bitmap Storage (BITMAPINFOHEADER, BITMAPV5HEADER).
    """
    # Zeros stand past the end, so that what is cut off can be read like the rest.
    longest = _FILE_HEADER + _LARGEST + 4 * _COLORS
    padded = tf.strings.join([encoded, b"\0" * longest])
    header = tf.io.decode_raw(tf.strings.substr(padded, 0, 70), tf.uint8)
    header = tf.cast(header, tf.int64)

    def integer(offset, width=4):
        digits = header[offset : offset + width]
        return tf.reduce_sum(digits * [256**i for i in range(width)])

    size, bits, compression = integer(14), integer(28, width=2), integer(30)
    masks = tf.stack([integer(offset) for offset in (54, 58, 62, 66)])
    plain = (compression == _NONE) & ((bits == 8) | (bits == 24) | (bits == 32))
    masked = (compression == _MASKS) & (bits == 32)
    masked &= tf.reduce_all(masks[:3] == _COLOR_MASKS)
    readable = (size >= _SMALLEST) & (size <= _LARGEST) & (plain | masked)
    refusal = tf.debugging.Assert(
        readable,
        [
            "Of BMP, only 8, 24 and 32 bits a pixel (blue, green, red) without "
            "compression can be read; save this one as PNG. Its bits, compression "
            "and size of header are",
            bits,
            compression,
            size,
        ],
    )
    with tf.control_dependencies([refusal]):
        image = tf.io.decode_bmp(encoded)
        size = tf.identity(size)  # in a graph it would be used before it is checked
    has_alpha = masked & (size >= _WITH_ALPHA) & (masks[3] > 0)
    return tf.cond(
        bits == 8,
        lambda: _colored(image, padded, size, integer(10), integer(46)),
        lambda: tf.cond(has_alpha, lambda: image, lambda: image[..., :3]),
    )


def _colored(indices, padded, size, pixels_begin, used):
    """Looks up the colors of a palette, which stands behind the header."""
    begin = _FILE_HEADER + size
    used = tf.where(used == 0, tf.constant(_COLORS, tf.int64), used)
    fitting = tf.maximum(pixels_begin - begin, 0) // 4
    colors = tf.reduce_min([used, fitting, _COLORS])
    # What the palette does not reach is black.
    palette = tf.strings.join(
        [tf.strings.substr(padded, begin, 4 * colors), b"\0" * (4 * _COLORS)]
    )
    palette = tf.io.decode_raw(tf.strings.substr(palette, 0, 4 * _COLORS), tf.uint8)
    palette = tf.reshape(palette, [_COLORS, 4])[:, 2::-1]  # blue, green, red, unused
    return tf.gather(palette, tf.cast(indices[..., 0], tf.int32))
