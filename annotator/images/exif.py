"""The EXIF of a JPEG, as far as it says which way up the picture belongs."""

import struct

import tensorflow as tf

_START_OF_IMAGE = b"\xff\xd8"
# Application segments and comments have the highest markers; higher is only the byte
# that may fill the space before a marker.
_APPLICATION, _FILLING = 0xFFE0, 0xFFFF
# How a segment of EXIF begins, in words of 16 bits: marker, size (any) and identifier.
_EXIF = (0xFFE1, 0, 0x4578, 0x6966, 0x0000)
_IS_ANY = (False, True, False, False, False)
_HEAD = 10
# EXIF should be the first. A file of countless small segments would keep a server busy.
_MOST_SEGMENTS = 100
# An entry of TIFF has a tag, a type, a number of values, and the value. This is how the
# orientation's begins, one SHORT, with the lowest byte of a number first or last.
_LITTLE = list(struct.pack("<HHI", 0x0112, 3, 1))
_BIG = list(struct.pack(">HHI", 0x0112, 3, 1))
_ENTRY = 12


def orientation(encoded: tf.Tensor) -> tf.Tensor:
    """Reads where row 0 and column 0 of a JPEG belong in the picture that was taken.

    That is the tag Orientation of its EXIF:

        1  top, left       5  left, top
        2  top, right      6  right, top
        3  bottom, right   7  right, bottom
        4  bottom, left    8  left, bottom

    EXIF belongs at the beginning: it is looked for as long as application segments and
    comments come, and not behind the tables of JPEG. Pure TensorFlow: it runs in a
    graph.

    Args:
        encoded: Scalar string tensor, whatever it contains.

    Returns:
        int32 scalar, 1 to 8; 1 if this is no JPEG, or the tag is missing or damaged.

    Reference:
        - CIPA DC-008 (Exif 2.32), sections 4.5.4, 4.6.4 and 4.7.2.
        - TIFF 6.0, section 2.
        - ITU-T T.81, section B.1.1.
    """
    return tf.cond(
        tf.equal(tf.strings.substr(encoded, 0, 2), _START_OF_IMAGE),
        lambda: _of_jpeg(encoded),
        lambda: tf.constant(1),
    )


def _of_jpeg(encoded):
    """Goes from segment to segment up to the one of EXIF."""
    end = tf.strings.length(encoded)

    def part(position, size):
        """Up to `size` bytes: those there are."""
        return tf.strings.substr(encoded, tf.minimum(position, end), size)

    def head(position):
        """The first words of a segment; zeros stand past the end of the data."""
        words = tf.io.decode_raw(
            part(position, _HEAD), tf.uint16, little_endian=False, fixed_length=_HEAD
        )
        return tf.cast(words, tf.int32)

    def is_exif(segment):
        return tf.reduce_all((segment == _EXIF) | _IS_ANY)

    def is_another(_, segment):
        return (segment[0] >= _APPLICATION) & ~is_exif(segment)

    def following(position, segment):
        # The size counts its own two bytes, and not the marker's.
        position += tf.where(segment[0] == _FILLING, 1, 2 + segment[1])
        return position, head(position)

    begin = tf.constant(len(_START_OF_IMAGE))
    position, segment = tf.while_loop(
        is_another, following, (begin, head(begin)), maximum_iterations=_MOST_SEGMENTS
    )
    size = tf.maximum(2 + segment[1] - _HEAD, 0)
    return tf.cond(
        is_exif(segment),
        lambda: _of_tiff(part(position + _HEAD, size)),
        lambda: tf.constant(1),
    )


def _of_tiff(tiff):
    """Looks the tag up in the first image file directory (IFD)."""
    is_little = tf.equal(tf.strings.substr(tiff, 0, 4), b"II*\0")
    is_big = tf.equal(tf.strings.substr(tiff, 0, 4), b"MM\0*")
    data = tf.io.decode_raw(tiff, tf.uint8)

    def integers(digits, width):
        """Bytes `[..., width]` as int64 `[...]`."""
        digits = tf.where(is_little, digits[..., ::-1], digits)
        powers = [256**i for i in reversed(range(width))]
        return tf.reduce_sum(tf.cast(digits, tf.int64) * powers, axis=-1)

    # Zeros stand past the end: an IFD that begins there has no entries.
    padded = tf.pad(data, [[0, 8]])
    begin = tf.minimum(integers(padded[4:8], 4), tf.size(data, tf.int64))
    count = integers(padded[begin : begin + 2], 2)
    entries = data[begin + 2 :][: _ENTRY * count]
    entries = entries[: tf.size(entries) // _ENTRY * _ENTRY]  # those that are whole
    entries = tf.reshape(entries, [-1, _ENTRY])
    beginning = tf.constant([_LITTLE, _BIG], tf.uint8)
    beginning = tf.where(is_little, beginning[0], beginning[1])
    is_orientation = tf.reduce_all(entries[:, :8] == beginning, axis=1)
    value = tf.reduce_max(tf.where(is_orientation, integers(entries[:, 8:10], 2), 1))
    is_known = (is_little | is_big) & (value >= 1) & (value <= 8)
    return tf.where(is_known, tf.cast(value, tf.int32), 1)
