"""From encoded bytes to the pixels a backbone reads: the only definition of it.

Training, evaluation and the exported graphs all call `decode_image` and
`resize_image`, so a SavedModel cannot disagree with the training that made it.
"""

import keras
import tensorflow as tf

from annotator.images import bmp, exif, gif

# Another one wherever `decode_image` makes other pixels of the same file.
DECODING = 2
FORMATS = ("JPEG", "PNG", "GIF", "BMP", "WebP")
_FORMAT_LIST = f"{', '.join(FORMATS[:-1])} or {FORMATS[-1]}"
ASPECTS = ("squash", "center_crop")
METHODS = ("bilinear", "bicubic", "area", "lanczos3")

# A larger image is refused from its header, before memory is spent on decoding it.
MAX_PIXELS = 1 << 26
# What those pixels take uncompressed, with four channels of 16 bits.
MAX_BYTES = 8 * MAX_PIXELS
# As of JPEG.
MAX_SIDE = 65_535


def decode_image(encoded):
    """Decodes one image of any supported format to 8-bit RGB.

    Gray images are repeated over the three channels, transparent pixels are
    composited over white, 16-bit channels keep their upper byte, and an animated
    GIF gives its first frame. A JPEG is turned and mirrored as its EXIF says; other
    formats are left as they are, also where they have EXIF. It is pure TensorFlow: it
    runs in `tf.data` and in a SavedModel.

    Args:
        encoded: Scalar string tensor or `bytes`, the content of an image file in one
            of `FORMATS`.

    Returns:
        uint8 tensor `[height, width, 3]`.

    Raises:
        tf.errors.InvalidArgumentError: If the bytes are empty, damaged, of another
            format, an animated WebP, a BMP that is compressed or of other than 8, 24
            or 32 bits, or an image of more than `MAX_PIXELS` pixels.
    """
    encoded = tf.convert_to_tensor(encoded, tf.string)
    encoded, frame_pixels = tf.cond(
        tf.equal(tf.strings.substr(encoded, 0, 4), b"GIF8"),
        lambda: gif.first_frame(encoded),
        lambda: (encoded, tf.constant(0, tf.int64)),
    )
    with tf.control_dependencies(_header_checks(encoded, frame_pixels)):
        encoded = tf.identity(encoded)
    image = tf.cond(
        tf.equal(tf.strings.substr(encoded, 0, 2), b"BM"),
        lambda: bmp.decode(encoded),
        lambda: tf.io.decode_image(encoded, channels=0, expand_animations=False),
    )
    channels = tf.shape(image)[-1]
    image = tf.cond(
        tf.equal(channels % 2, 0), lambda: _over_white(image), lambda: image
    )
    # Color images are tiled once, which leaves them as they are.
    image = tf.tile(image, [1, 1, 3 // tf.shape(image)[-1]])
    image = _upright(image, exif.orientation(encoded))
    return tf.ensure_shape(image, [None, None, 3])


def resize_image(image, size, aspect="squash", method="bilinear", flip=False):
    """Resizes images to a square, with antialiasing.

    Args:
        image: `[height, width, 3]` or `[batch, height, width, 3]`, any real dtype,
            values 0 to 255.
        size: Side of the result in pixels.
        aspect: `"squash"` changes the aspect ratio, as this field's published features
            were made; `"center_crop"` keeps it and cuts the longer side at both ends
            (the same as scaling the shorter side to `size` and cropping the center).
        method: One of `METHODS`.
        flip: Mirrors the image left to right.

    Returns:
        float32 tensor `[(batch,) size, size, 3]`, values 0 to 255.

    Raises:
        ValueError: If `size`, `aspect` or `method` is not one of those stated.
        tf.errors.InvalidArgumentError: If a side has more than `MAX_SIDE` pixels.
    """
    if size < 1:
        raise ValueError(f"size must be at least 1 pixel, got {size}.")
    if aspect not in ASPECTS:
        raise ValueError(f"aspect must be one of {ASPECTS}, got {aspect!r}.")
    if method not in METHODS:
        raise ValueError(f"method must be one of {METHODS}, got {method!r}.")
    image = tf.convert_to_tensor(image)
    height, width = tf.shape(image)[-3], tf.shape(image)[-2]
    refusal = tf.debugging.Assert(
        tf.maximum(height, width) <= MAX_SIDE,
        [f"An image with a side of more than {MAX_SIDE} pixels is refused; it has"]
        + [height, width],
    )
    # Resizing takes memory by the side of an image, whatever its area.
    with tf.control_dependencies([refusal]):
        image = tf.identity(image)
    if aspect == "center_crop":
        side = tf.minimum(height, width)
        top, left = (height - side) // 2, (width - side) // 2
        image = image[..., top : top + side, left : left + side, :]
    image = tf.image.resize(image, (size, size), method=method, antialias=True)
    # Bicubic and Lanczos kernels overshoot at edges.
    image = tf.clip_by_value(tf.cast(image, tf.float32), 0.0, 255.0)
    return image[..., ::-1, :] if flip else image


def augment(images, size, seed, places=None, mirror=True):
    """Other views of training images: crops of several scales, flips, other colors.

    Each image gets a square of 3/4 to all of its side from anywhere in it, is mirrored
    half of the time (if at all), and has brightness, contrast and saturation changed by
    up to a fifth. Batches are treated in the graph. An image's view depends on the seed
    and its place alone, whatever images are beside it.

    Args:
        images: `[batch, height, width, 3]`, values 0 to 255.
        size: Side of the result in pixels.
        seed: int `[2]`.
        places: int `[batch]`, places in the batch that these images are a share of; 0
            to batch - 1 by default.
        mirror: Whether images may be mirrored: not where left must stay left.

    Returns:
        float32 `[batch, size, size, 3]`, values 0 to 255.

    Source: the training of Deng et al., Deep image annotation model based on attention
    feedback mechanism; the amounts are ours.
    """
    images = tf.cast(images, tf.float32)
    batch = tf.shape(images)[0]
    places = tf.range(batch) if places is None else tf.convert_to_tensor(places)
    chance = tf.map_fn(
        lambda place: tf.random.stateless_uniform([7], tf.random.fold_in(seed, place)),
        places,
        fn_output_signature=tf.TensorSpec([7]),
    )
    chance = tf.transpose(chance)
    scale = 0.75 + 0.25 * chance[0]
    top, left = (1 - scale) * chance[1], (1 - scale) * chance[2]
    right = left + scale
    mirrored = (chance[3] < 0.5) & mirror
    boxes = tf.stack(
        [
            top,
            tf.where(mirrored, right, left),
            top + scale,
            tf.where(mirrored, left, right),
        ],
        axis=1,
    )
    images = tf.image.crop_and_resize(images, boxes, tf.range(batch), (size, size))
    brightness, contrast, saturation = tf.unstack(
        (0.8 + 0.4 * chance[4:])[..., None, None, None]
    )
    images *= brightness
    mean = tf.reduce_mean(images, axis=(1, 2, 3), keepdims=True)
    images = mean + contrast * (images - mean)
    gray = tf.image.rgb_to_grayscale(images)
    images = gray + saturation * (images - gray)
    return tf.clip_by_value(images, 0.0, 255.0)


@keras.saving.register_keras_serializable(package="annotator")
class Resize(keras.layers.Layer):
    """`resize_image` as a layer: one view of an image.

    Args:
        size, aspect, method, flip: As in `resize_image`.

    Call arguments:
        images: `[batch, height, width, 3]` or `[height, width, 3]`, RGB, 0 to 255.

    Output shape:
        float32 `[(batch,) size, size, 3]`.
    """

    def __init__(
        self, size=224, aspect="squash", method="bilinear", flip=False, **kwargs
    ):
        # Pixels never pass through half precision before they are normalized.
        super().__init__(**{**kwargs, "dtype": "float32", "trainable": False})
        self.size = size
        self.aspect = aspect
        self.method = method
        self.flip = flip

    def call(self, images):
        return resize_image(images, self.size, self.aspect, self.method, self.flip)

    def compute_output_shape(self, input_shape):
        return (*input_shape[:-3], self.size, self.size, 3)

    def get_config(self):
        return {
            **super().get_config(),
            "size": self.size,
            "aspect": self.aspect,
            "method": self.method,
            "flip": self.flip,
        }

    @property
    def view(self):
        """The settings that decide the pixels, as a JSON-ready dict."""
        return {
            "size": self.size,
            "aspect": self.aspect,
            "method": self.method,
            "flip": self.flip,
        }


def _over_white(image):
    """Composites `[H, W, 2 or 4]` (gray or color with alpha) over white."""
    # Two bytes a value: the largest images would take gigabytes as float32.
    image = tf.cast(image, tf.uint16)
    color, alpha = image[..., :-1], image[..., -1:]
    return tf.cast((color * alpha + 255 * (255 - alpha) + 127) // 255, tf.uint8)


def _upright(image, orientation):
    """Turns and mirrors `[H, W, 3]` as stored, by `exif.orientation`."""

    def turned():
        straight = tf.cond(
            orientation >= 5, lambda: tf.transpose(image, [1, 0, 2]), lambda: image
        )
        is_reversed = [
            tf.reduce_any(orientation == [3, 4, 7, 8]),  # from the bottom up
            tf.reduce_any(orientation == [2, 3, 6, 7]),  # from right to left
        ]
        return tf.reverse(straight, tf.boolean_mask([0, 1], is_reversed))

    return tf.cond(orientation == 1, lambda: image, turned)


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

    is_jpeg = has(0, b"\xff\xd8\xff")
    is_png = has(0, b"\x89PNG\r\n\x1a\n")
    is_gif = has(0, b"GIF8")
    is_bmp = has(0, b"BM")
    is_webp = has(0, b"RIFF") & has(8, b"WEBP")
    # WebP (RFC 9649, sections 2.5 to 2.7): extended, lossless or lossy.
    is_extended, is_lossless = has(12, b"VP8X"), has(12, b"VP8L")
    lossless_bits = integer(21, 4)
    # A BMP stored from the top down has a negative height.
    bmp_height = integer(22, 4)
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
            tf.cond(is_jpeg, lambda: _jpeg_pixels(encoded), lambda: tf.int64.min),
        ]
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
    ]


def _readable(encoded):
    """Bytes as text: Python cannot read an error message that is not UTF-8."""
    return tf.strings.unicode_transcode(
        encoded, "US-ASCII", "UTF-8", replace_control_characters=True
    )


def _jpeg_pixels(encoded):
    shape = tf.cast(tf.io.extract_jpeg_shape(encoded), tf.int64)
    return shape[0] * shape[1]
