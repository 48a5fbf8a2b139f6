"""Image files decoded in threads ahead of their use; one bad image stays one image."""

import collections
import concurrent.futures
import errno
import functools
import os

import tensorflow as tf

from annotator.images import decode as images
from annotator.images import errors as tensorflow_errors

_BYTES_AHEAD = 2**28


def decode_ahead(pairs, resizes, workers=None, ahead=32):
    """The views of images.

    Args:
        pairs: Iterable of `(name, content)`; `content` is the `bytes` of an image file,
            or an exception that says why there are none.
        resizes: `annotator.images.Resize` layers.
        workers, ahead: As in `map_ahead`.

    Yields:
        `(name, views, error)` in order: a list of float32 `[size, size, 3]`, one for
        each of `resizes`, and `None`; or `None` and the reason, a line of text.
    """
    # Not tf.data: its pipelines do not say which image failed, and op by op a decoder
    # takes ten times as long as traced.
    views_of = _views_of(tuple(resizes))

    def decode(pair):
        name, content = pair
        if isinstance(content, Exception):
            return name, None, _reason(content)
        try:
            with tf.device("CPU"):
                return name, views_of(content), None
        except tf.errors.ResourceExhaustedError as error:
            # Not the image's fault, and another time there may be enough.
            raise OSError(
                errno.ENOMEM,
                f"{name} could not be decoded, the memory does not suffice; take fewer "
                "--workers or a smaller --batch_size",
            ) from error
        except tf.errors.OpError as error:
            return name, None, _decoding_error(content, error)

    return map_ahead(decode, pairs, workers, ahead, item_bytes=size_of)


def size_of(pair):
    """Bytes of the content of a `(name, content)`."""
    return 0 if isinstance(pair[1], Exception) else len(pair[1])


def map_ahead(
    function, items, workers=None, ahead=32, item_bytes=None, result_bytes=None
):
    """`map` in threads, in order, with at most `ahead + 1` results waiting.

    Args:
        function: Of one item.
        items: Iterable.
        workers: Threads; by default as many as there are cores.
        ahead: Items begun before the first result is asked for.
        item_bytes, result_bytes: Functions of an item or a result, what it takes of the
            memory. Where that is much, fewer are begun: as many as take 256 MiB, or as
            there are threads.
    """
    waiting = collections.deque()
    workers = workers or _cores()
    pool = concurrent.futures.ThreadPoolExecutor(workers)
    weighed = item_bytes or result_bytes
    # What the first ones take is not known before they are done.
    heaviest, limit = 0, min(ahead, workers) if weighed else ahead
    try:
        for item in items:
            size = item_bytes(item) if item_bytes else 0
            waiting.append((size, pool.submit(function, item)))
            while len(waiting) > limit:
                size, future = waiting.popleft()
                result = future.result()
                if weighed:
                    size += result_bytes(result) if result_bytes else 0
                    heaviest = max(size, 0.9 * heaviest)
                    fitting = int(_BYTES_AHEAD / max(heaviest, 1))
                    limit = min(ahead, max(workers, fitting))
                yield result
        while waiting:
            yield waiting.popleft()[1].result()
    finally:
        pool.shutdown(cancel_futures=True)


@functools.lru_cache(maxsize=8)
def _views_of(resizes):
    """The function from encoded bytes to views, traced once for a model."""

    @tf.function(input_signature=[tf.TensorSpec([], tf.string)])
    def views_of(encoded):
        image = images.decode_image(encoded)
        return [resize(image) for resize in resizes]

    return views_of


def _reason(error):
    return getattr(error, "strerror", None) or str(error) or type(error).__name__


def _decoding_error(content, error):
    """Why an image cannot be decoded, in a line."""
    try:
        # Op by op, the error names what is wrong and not where in the graph.
        images.decode_image(content)
    except tf.errors.OpError as plain:
        error = plain
    return tensorflow_errors.message(error)


def _cores():
    if hasattr(os, "sched_getaffinity"):  # not on every system
        return len(os.sched_getaffinity(0))
    return os.cpu_count() or 1
