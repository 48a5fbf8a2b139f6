"""PNGs cut down to what makes their pixels, before anything of them is decoded."""

import tensorflow as tf

_END = b"\0\0\0\0IEND\xaeB`\x82"
# Signature and header; a chunk is its size, its type, so many bytes, and a checksum.
_BEGIN = 33
_AROUND = 12
_KINDS = [int.from_bytes(kind, "big") for kind in (b"PLTE", b"tRNS", b"IDAT")]
_IS_PIXELS = [False, False, True]
# A bit of the type that says whether pixels can be made without a chunk.
_ANCILLARY = 0x20000000
# Each chunk is a step of some ten microseconds. Encoders write pieces of 8 KB, or more.
_CHUNKS = 1 << 13
_BYTES_OF_A_CHUNK = 1 << 14


@tf.function(input_signature=[tf.TensorSpec([], tf.string)], autograph=False)
def pixels_only(encoded: tf.Tensor) -> tf.Tensor:
    """Leaves out all chunks of a PNG that say nothing about its pixels.

    Compressed texts and color profiles of a few kilobytes become gigabytes, and the
    decoder reads them all, also behind the pixels. Always a graph: op by op, a walk
    over thousands of chunks would take seconds.

    Args:
        encoded: Scalar string tensor that begins with the signature of PNG.

    Returns:
        Scalar string, a PNG of `IHDR`, `PLTE`, `tRNS`, the first run of `IDAT`, and
        `IEND`; one that no decoder takes if the data are damaged there.

    Raises:
        tf.errors.InvalidArgumentError: When there are countless small chunks.

    Reference:
        - W3C, Portable Network Graphics (PNG) Specification, Third Edition, sections 5
          and 11.
    """
    end = tf.strings.length(encoded)
    most = _CHUNKS + end // _BYTES_OF_A_CHUNK

    def goes_on(chunks, position, is_inside, begins, ends):
        return is_inside & (chunks < most)

    def following(chunks, position, is_inside, begins, ends):
        head = tf.io.decode_raw(
            tf.strings.substr(encoded, position, 8),
            tf.int32,
            little_endian=False,
            fixed_length=8,  # zeros stand past the end
        )
        size, kind = tf.unstack(head, num=2)
        size = tf.where(size < 0, end, tf.minimum(size, end))
        after = tf.minimum(position + size + _AROUND, end)
        is_kind = tf.equal(kind, _KINDS)
        is_first = is_kind & tf.equal(begins, 0)
        is_ancillary = tf.bitwise.bitwise_and(kind, _ANCILLARY) > 0
        # Behind the pixels, nothing counts.
        is_before = tf.equal(begins[2], 0) & (is_ancillary | tf.reduce_any(is_kind))
        return (
            chunks + 1,
            after,
            (after < end) & (is_before | is_kind[2]),
            tf.where(is_first, position, begins),
            tf.where(is_first | (is_kind & _IS_PIXELS), after, ends),
        )

    begin = tf.constant(_BEGIN)
    nowhere = tf.zeros([len(_KINDS)], tf.int32)
    chunks, _, _, begins, ends = tf.while_loop(
        goes_on,
        following,
        (tf.constant(0), begin, begin < end, nowhere, nowhere),
        parallel_iterations=1,
    )
    refusal = tf.debugging.Assert(
        chunks < most,
        ["A PNG of so many small chunks is refused; it has at least", chunks],
    )
    with tf.control_dependencies([refusal]):
        parts = [
            tf.strings.substr(encoded, begins[index], ends[index] - begins[index])
            for index in range(len(_KINDS))
        ]
    header = tf.strings.substr(encoded, 0, _BEGIN)
    return tf.strings.join([header, *parts, _END])
