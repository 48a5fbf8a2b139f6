"""What turns an image file back into what it was: the part that was changed."""

import hashlib
import struct

_HEADER = struct.Struct("<8sQQ32s")
_MAGIC = b"patch 1\n"


def make_patch(before: bytes, after: bytes) -> bytes:
    """Makes what `apply_patch` needs to get from a content back to an earlier one.

    It is as large as what lies between their common beginning and end.

    Args:
        before: The earlier content.
        after: The later one.
    """
    start = _common(before, after)
    least = min(len(before), len(after)) - start
    end = min(_common(before[::-1], after[::-1]), least)
    digest = hashlib.sha256(before).digest()
    return _HEADER.pack(_MAGIC, start, end, digest) + before[start : len(before) - end]


def is_patch(content: bytes | None) -> bool:
    """Whether this is what `make_patch` returned."""
    return content is not None and content.startswith(_MAGIC)


def leads_to(patch: bytes, content: bytes) -> bool:
    """Whether a content is the one that a patch leads back to."""
    return _HEADER.unpack_from(patch)[-1] == hashlib.sha256(content).digest()


def apply_patch(patch: bytes, after: bytes) -> bytes:
    """Goes back from a later content.

    Args:
        patch: As `make_patch` returned it.
        after: The later content.

    Returns:
        The earlier content.

    Raises:
        ValueError: When the patch is of another content.
    """
    _, start, end, digest = _HEADER.unpack_from(patch)
    middle = patch[_HEADER.size :]
    before = after[:start] + middle + after[len(after) - end :]
    if hashlib.sha256(before).digest() != digest:
        raise ValueError("what the run noted of it is of another file")
    return before


def _common(one, other):
    """The length of the common beginning of two contents."""
    import numpy as np  # `undo` starts without it

    length = min(len(one), len(other))
    differs = np.frombuffer(one, np.uint8, length) != np.frombuffer(
        other, np.uint8, length
    )
    return int(differs.argmax()) if differs.any() else length
