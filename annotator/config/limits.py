"""Limits on image files that a user may set."""

from typing import Any

from absl import flags

# A larger image is refused from its header, before memory is spent on decoding it.
MAX_PIXELS = 1 << 26


def add_max_pixels(group: Any) -> None:
    """Defines `--max_pixels`.

    Args:
        group: A group of a `Parser`.
    """
    group.add(
        flags.DEFINE_integer,
        "max_pixels",
        MAX_PIXELS,
        "Pixels of an image, at most; with alpha half as many. JPEGs have a limit of "
        "their own, 268 megapixels. Larger ones take more time and memory.",
        lower_bound=1,
    )
