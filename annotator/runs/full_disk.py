"""TensorFlow's error for a full disk, as Python would have it."""

import contextlib
import errno
import os
from collections.abc import Iterator

import tensorflow as tf


@contextlib.contextmanager
def full_disk(folder: str | os.PathLike[str]) -> Iterator[None]:
    """Says of a full disk what Python would, where it is TensorFlow that writes.

    It writes checkpoints, SavedModels and logs itself, and its error for a full disk is
    also that for memory which does not suffice.

    Args:
        folder: Where the block writes.

    Yields:
        Nothing.

    Raises:
        OSError: When the disk is full, or the user's part of it; its file is the
            folder.
    """
    try:
        yield
    except tf.errors.ResourceExhaustedError as error:
        for number in (errno.ENOSPC, errno.EDQUOT):
            reason = os.strerror(number)
            if reason in error.message:
                raise OSError(number, reason, os.fspath(folder)) from error
        raise
