"""The decoder of image files: encoded bytes to 8-bit RGB, the only definition of it.

Training, evaluation and the exported graphs all call `decode_image`, so a SavedModel
cannot disagree with the training that made it.
"""

import tensorflow as tf

from annotator.files.image_formats import JPEG_BEGIN
from annotator.images import bmp, exif, gif, png
from annotator.images.claimed import MAX_ALPHA, MAX_PIXELS

# Another one wherever `decode_image` makes other pixels of the same file.
DECODING = 2
FORMATS = ("JPEG", "PNG", "GIF", "BMP", "WebP")
_FORMAT_LIST = f"{', '.join(FORMATS[:-1])} or {FORMATS[-1]}"

# A JPEG that is larger is decoded to half its height and width, which takes a quarter
# of the memory. One stored progressively takes 6 bytes a pixel all the same.
MAX_JPEG_PIXELS = 4 * MAX_PIXELS
# What those pixels take uncompressed, with four channels of 16 bits.
MAX_BYTES = 8 * MAX_PIXELS
# Each scan of a JPEG is a pass over all its pixels; progressive ones have ten or so.
_MAX_SCANNED = 10 * MAX_PIXELS
_SMALLEST_SCANNED = 1 << 19
# Of several scans, all coefficients are held, two bytes each.
_MAX_COEFFICIENTS = 3 * MAX_PIXELS
# What a PNG unpacks to.
_MAX_UNPACKED = 4 * MAX_PIXELS
_CHANNELS_OF_PNG = [1, 0, 3, 1, 2, 0, 4, 0]
_BLOCKS = 16
_TURNED = 64
_SMALLEST_IN_BLOCKS = 1 << 22
_PIECE = 1 << 20


def decode_image(encoded: tf.Tensor | bytes) -> tf.Tensor:
    """Decodes one image of any supported format to 8-bit RGB.

    Gray images are repeated over the three channels, transparent pixels are
    composited over white, 16-bit channels keep their upper byte, and an animated
    GIF gives its first frame. A JPEG is turned and mirrored as its EXIF says; other
    formats are left as they are, also where they have EXIF. A JPEG of more than
    `MAX_PIXELS` pixels is decoded to half its height and width. It is pure TensorFlow:
    it runs in `tf.data` and in a SavedModel.

    Args:
        encoded: Scalar string tensor or `bytes`, the content of an image file in one
            of `FORMATS`.

    Returns:
        uint8 tensor `[height, width, 3]`.

    Raises:
        tf.errors.InvalidArgumentError: When the bytes are empty, damaged, of another
            format, an animated WebP, a BMP that is compressed or of other than 8, 24
            or 32 bits, an image of more than `MAX_PIXELS` pixels (a JPEG:
            `MAX_JPEG_PIXELS`), or one that would take many times as long or as much
            memory as others of its size.
    """
    return _decoded(tf.convert_to_tensor(encoded, tf.string))


# Traced once a process, for all graphs that decode: it has some thousand nodes.
@tf.function(input_signature=[tf.TensorSpec([], tf.string)], autograph=False)
def _decoded(encoded):
    encoded, frame_pixels = tf.cond(
        tf.equal(tf.strings.substr(encoded, 0, 4), b"GIF8"),
        lambda: gif.first_frame(encoded),
        lambda: (encoded, tf.constant(0, tf.int64)),
    )
    with tf.control_dependencies(_header_checks(encoded, frame_pixels)):
        encoded = tf.identity(encoded)
    encoded = tf.cond(
        tf.equal(tf.strings.substr(encoded, 0, 8), b"\x89PNG\r\n\x1a\n"),
        lambda: png.pixels_only(encoded),
        lambda: encoded,
    )
    image = tf.cond(
        tf.equal(tf.strings.substr(encoded, 0, 2), b"BM"),
        lambda: bmp.decode(encoded),
        lambda: _decode(encoded),
    )
    channels = tf.shape(image)[-1]
    image = tf.cond(
        tf.equal(channels % 2, 0), lambda: _over_white(image), lambda: image
    )
    # Color images are tiled once, which leaves them as they are.
    image = tf.tile(image, [1, 1, 3 // tf.shape(image)[-1]])
    image = _upright(image, exif.orientation(encoded))
    return tf.ensure_shape(image, [None, None, 3])


def _decode(encoded):
    is_large = tf.cond(
        _begins_as_jpeg(encoded),
        lambda: _jpeg_pixels(encoded) > MAX_PIXELS,
        lambda: tf.constant(False),
    )
    return tf.cond(
        is_large,
        lambda: tf.io.decode_jpeg(encoded, channels=3, ratio=2),
        lambda: tf.io.decode_image(encoded, channels=0, expand_animations=False),
    )


def _begins_as_jpeg(encoded):
    return tf.equal(tf.strings.substr(encoded, 0, 3), JPEG_BEGIN)


def _over_white(image):
    """Composites `[H, W, 2 or 4]` (gray or color with alpha) over white."""
    height, width, channels = tf.unstack(tf.shape(image), num=3)
    pixels = tf.cast(height, tf.int64) * tf.cast(width, tf.int64)
    refusal = tf.debugging.Assert(
        pixels <= MAX_ALPHA,
        [
            f"An image with alpha of more than {MAX_ALPHA} pixels is refused; it has",
            pixels,
        ],
    )
    with tf.control_dependencies([refusal]):
        rows = tf.maximum(-(-height // _BLOCKS), 1)

    def composite(index, blocks):
        # Two bytes a value, and block by block: memory is what the result takes.
        block = tf.cast(image[index * rows : (index + 1) * rows], tf.uint16)
        color, alpha = block[..., :-1], block[..., -1:]
        block = (color * alpha + 255 * (255 - alpha) + 127) // 255
        return index + 1, blocks.write(index, tf.cast(block, tf.uint8))

    _, blocks = tf.while_loop(
        lambda index, _: index * rows < height,
        composite,
        (
            tf.constant(0),
            tf.TensorArray(tf.uint8, 0, dynamic_size=True, infer_shape=False),
        ),
        parallel_iterations=1,
    )
    return tf.reshape(blocks.concat(), [height, width, channels - 1])


def _upright(image, orientation):
    """Turns and mirrors `[H, W, 3]` as stored, by `exif.orientation`."""

    def turned():
        straight = tf.cond(orientation >= 5, lambda: _transposed(image), lambda: image)
        is_reversed = [
            tf.reduce_any(orientation == [3, 4, 7, 8]),  # from the bottom up
            tf.reduce_any(orientation == [2, 3, 6, 7]),  # from right to left
        ]
        return tf.reverse(straight, tf.boolean_mask([0, 1], is_reversed))

    return tf.cond(orientation == 1, lambda: image, turned)


def _transposed(image):
    """Mirrors `[H, W, 3]` along its diagonal."""
    height, width, _ = tf.unstack(tf.shape(image), num=3)

    def in_blocks():
        # A large image is read from end to end for each column, out of the memory's
        # reach; some rows of it are not.
        rows = -(-height // _TURNED)
        sizes = tf.clip_by_value(height - rows * tf.range(_TURNED), 0, rows)
        parts = tf.split(image, sizes, num=_TURNED)
        return tf.concat([tf.transpose(part, [1, 0, 2]) for part in parts], axis=1)

    return tf.cond(
        height * width > _SMALLEST_IN_BLOCKS,
        in_blocks,
        lambda: tf.transpose(image, [1, 0, 2]),
    )


def _header_checks(encoded, frame_pixels):
    """Assertions on format and size that cost no decoding."""
    # 32 bytes say everything but the size of a JPEG; zeros stand past the end.
    header = tf.strings.substr(tf.strings.join([encoded, b"\0" * 32]), 0, 32)
    header = tf.cast(tf.io.decode_raw(header, tf.uint8), tf.int64)

    def has(offset, magic):
        return tf.reduce_all(header[offset : offset + len(magic)] == list(magic))

    def integer(offset, width, big_endian=False):
        digits = header[offset : offset + width]
        digits = digits[::-1] if big_endian else digits
        return tf.reduce_sum(digits * [256**i for i in range(width)])

    is_jpeg = has(0, JPEG_BEGIN)
    is_png = has(0, b"\x89PNG\r\n\x1a\n")
    is_gif = has(0, b"GIF8")
    is_bmp = has(0, b"BM")
    is_webp = has(0, b"RIFF") & has(8, b"WEBP")
    # WebP (RFC 9649, sections 2.5 to 2.7): extended, lossless or lossy.
    is_extended, is_lossless = has(12, b"VP8X"), has(12, b"VP8L")
    lossless_bits = integer(21, 4)
    # A BMP stored from the top down has a negative height.
    bmp_height = integer(22, 4)
    jpeg_pixels, scans, coefficients = tf.cond(
        is_jpeg, lambda: _of_jpeg(encoded), lambda: [tf.zeros([], tf.int64)] * 3
    )
    pixels = tf.reduce_max(
        [
            frame_pixels,
            tf.where(is_png, integer(16, 4, True) * integer(20, 4, True), 0),
            tf.where(is_gif, integer(6, 2) * integer(8, 2), 0),
            tf.where(
                # The oldest header is smaller and has the size elsewhere; `bmp` refuses
                # it.
                is_bmp & (integer(14, 4) >= 40),
                integer(18, 4) * tf.minimum(bmp_height, 2**32 - bmp_height),
                0,
            ),
            tf.where(
                is_webp & is_extended, (integer(24, 3) + 1) * (integer(27, 3) + 1), 0
            ),
            tf.where(
                is_webp & is_lossless,
                (lossless_bits % 2**14 + 1) * (lossless_bits // 2**14 % 2**14 + 1),
                0,
            ),
            tf.where(
                is_webp & ~is_extended & ~is_lossless,
                (integer(26, 2) % 2**14) * (integer(28, 2) % 2**14),
                0,
            ),
        ]
    )
    bits_of_png = integer(24, 1) * tf.gather(
        tf.constant(_CHANNELS_OF_PNG, tf.int64), integer(25, 1) % len(_CHANNELS_OF_PNG)
    )
    unpacked = tf.where(
        is_png, integer(16, 4, True) * integer(20, 4, True) * bits_of_png // 8, 0
    )
    # TensorFlow 2.21 writes past the end of its buffer when a WebP has several frames.
    animated = is_webp & is_extended & (header[20] // 2 % 2 == 1)
    return [
        tf.debugging.Assert(
            is_jpeg | is_png | is_gif | is_bmp | is_webp,
            [
                f"Not a {_FORMAT_LIST} image; it begins with",
                _readable(tf.strings.substr(encoded, 0, 16)),
                "and its length in bytes is",
                tf.strings.length(encoded),
            ],
        ),
        tf.debugging.Assert(
            ~animated, ["An animated WebP cannot be read; save one frame of it."]
        ),
        tf.debugging.Assert(
            pixels <= MAX_PIXELS,
            [f"An image of more than {MAX_PIXELS} pixels is refused; it has", pixels],
        ),
        tf.debugging.Assert(
            jpeg_pixels <= MAX_JPEG_PIXELS,
            [
                f"A JPEG of more than {MAX_JPEG_PIXELS} pixels is refused; it has",
                jpeg_pixels,
            ],
        ),
        tf.debugging.Assert(
            unpacked <= _MAX_UNPACKED,
            [f"A PNG of more than {_MAX_UNPACKED} bytes is refused; it has", unpacked],
        ),
        tf.debugging.Assert(
            scans * tf.maximum(jpeg_pixels, _SMALLEST_SCANNED) <= _MAX_SCANNED,
            ["A JPEG of so many scans is refused; it has", scans],
        ),
        tf.debugging.Assert(
            (scans <= 1) | (coefficients <= _MAX_COEFFICIENTS),
            [
                "A progressive JPEG of so many coefficients is refused; it has",
                coefficients,
            ],
        ),
    ]


def _readable(encoded):
    """Bytes as text: Python cannot read an error message that is not UTF-8."""
    return tf.strings.unicode_transcode(
        encoded, "US-ASCII", "UTF-8", replace_control_characters=True
    )


def _jpeg_pixels(encoded):
    shape = tf.cast(tf.io.extract_jpeg_shape(encoded), tf.int64)
    return shape[0] * shape[1]


def _of_jpeg(encoded):
    """Pixels, scans and coefficients of a JPEG.

    Within the data of a scan, the byte of markers is followed by others. A thumbnail
    that lies in a segment counts as well.
    """
    shape = tf.cast(tf.io.extract_jpeg_shape(encoded), tf.int64)

    def count(begin, scans):
        piece = tf.strings.substr(encoded, begin, _PIECE + 1)
        data = tf.io.decode_raw(piece, tf.uint8)
        begins = tf.equal(data[:-1], 0xFF) & tf.equal(data[1:], 0xDA)
        return begin + _PIECE, scans + tf.math.count_nonzero(begins)

    _, scans = tf.while_loop(  # in pieces: counting takes eight bytes a byte
        lambda begin, _: begin < tf.strings.length(encoded),
        count,
        (tf.constant(0), tf.constant(0, tf.int64)),
        parallel_iterations=1,
    )
    return [shape[0] * shape[1], scans, tf.reduce_prod(shape)]
