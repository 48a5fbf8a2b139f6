"""How many pixels an image file says it has, at no cost, and how many it may have."""

from annotator.config.limits import MAX_PIXELS

# An image with alpha, which is composited.
MAX_ALPHA = MAX_PIXELS // 2
# PNG (W3C, 11.2.1): gray and color with alpha. WebP (RFC 9649): a bit says so.
_PNG_WITH_ALPHA = (4, 6)

# Markers of JPEG with the size of the image: SOF0 to SOF15 but DHT, JPG and DAC.
_FRAMES = frozenset(range(0xC0, 0xD0)) - {0xC4, 0xC8, 0xCC}
# Segments before that; there are a few dozen with a large color profile.
_MOST_SEGMENTS = 1000


def claimed_pixels(content: bytes) -> int:
    """Reads width and height from the header of an image file.

    It decides who waits for whom and not what is read: `decode_image` looks itself.

    Args:
        content: Any bytes.

    Returns:
        Width times height; 0 for what is no such file or says nothing.
    """

    def number(offset, width, order="little"):
        return int.from_bytes(content[offset : offset + width], order)

    if content.startswith(b"\x89PNG"):
        return number(16, 4, "big") * number(20, 4, "big")
    if content.startswith(b"GIF8"):
        return number(6, 2) * number(8, 2)
    if content.startswith(b"BM"):
        height = number(22, 4)  # negative from the top down
        return number(18, 4) * min(height, 2**32 - height)
    if content.startswith(b"\xff\xd8"):
        return _of_jpeg(content)
    if content.startswith(b"RIFF") and content[8:12] == b"WEBP":
        kind = content[12:16]
        if kind == b"VP8X":
            return (number(24, 3) + 1) * (number(27, 3) + 1)
        if kind == b"VP8L":
            bits = number(21, 4)
            return (bits % 2**14 + 1) * (bits // 2**14 % 2**14 + 1)
        return (number(26, 2) % 2**14) * (number(28, 2) % 2**14)
    return 0


def claims_alpha(content: bytes) -> bool:
    """Whether the header of a PNG or WebP says that it has alpha.

    Args:
        content: Any bytes.
    """
    content = content[:32].ljust(32, b"\0")
    if content.startswith(b"\x89PNG"):
        return content[25] in _PNG_WITH_ALPHA
    if content.startswith(b"RIFF") and content[8:12] == b"WEBP":
        flags, bits = content[20], int.from_bytes(content[21:25], "little")
        has_alpha = {b"VP8X": flags >> 4 & 1, b"VP8L": bits >> 28 & 1}
        return bool(has_alpha.get(content[12:16]))
    return False


def check_pixels(pixels: int, alpha: bool, most: int) -> None:
    """Refuses an image of too many pixels.

    Args:
        pixels: How many it has.
        alpha: Whether it has alpha; then half as many are too many.
        most: How many it may have, `--max_pixels`.

    Raises:
        ValueError: When they are more; it names both numbers and the flag.
    """
    most = most // 2 if alpha else most
    if pixels > most:
        kind = "An image with alpha" if alpha else "An image"
        raise ValueError(
            f"{kind} of more than {most} pixels is refused; it has {pixels}. Make it "
            "smaller, or give annotate or review a larger --max_pixels"
            f"{', of which alpha takes half' if alpha else ''}."
        )


def _of_jpeg(content):
    position = 2
    for _ in range(_MOST_SEGMENTS):
        head = content[position : position + 9]
        if len(head) < 9 or head[0] != 0xFF:
            return 0
        if head[1] == 0xFF:  # fills the space before a marker
            position += 1
        elif head[1] in _FRAMES:
            return int.from_bytes(head[5:7], "big") * int.from_bytes(head[7:9], "big")
        else:
            position += 2 + int.from_bytes(head[2:4], "big")
    return 0
