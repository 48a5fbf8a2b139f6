"""Image files decoded in threads ahead of their use; one bad image stays one image."""

import collections
import concurrent.futures
import errno
import functools
import os
from collections.abc import Callable, Iterable, Iterator
from typing import Any, TypeVar

import tensorflow as tf

from annotator.images import errors
from annotator.images.claimed import MAX_PIXELS
from annotator.images.decode import decode_image
from annotator.images.photos import graph_content
from annotator.images.resize import Resize

_BYTES_AHEAD = 2**28

Item = TypeVar("Item")
Result = TypeVar("Result")


def decode_ahead(
    pairs: Iterable[tuple[Any, bytes | Exception]],
    resizes: Iterable[Resize],
    workers: int | None = None,
    ahead: int = 32,
    max_pixels: int = MAX_PIXELS,
) -> Iterator[tuple[Any, list[tf.Tensor] | None, str | None]]:
    """Decodes images in threads and makes their views.

    Args:
        pairs: Iterable of `(name, content)`; `content` is the `bytes` of an image file,
            or an exception that says why there are none.
        resizes: The layers that make the views.
        workers: Threads; by default as many as there are cores.
        ahead: Images begun before the first result is asked for.
        max_pixels: How many pixels an image that is no JPEG may have.

    Yields:
        `(name, views, error)` in order: a list of float32 `[size, size, 3]`, one for
        each of `resizes`, and `None`; or `None` and the reason, a line of text.
    """
    # Not tf.data: its pipelines do not say which image failed, and op by op a decoder
    # takes ten times as long as traced.
    views_of = _views_of(tuple(tuple(resize.view.items()) for resize in resizes))

    def decode(pair):
        name, content = pair
        if isinstance(content, Exception):
            return name, None, _reason(content)
        try:
            content = graph_content(content, str(name), max_pixels)
        except ValueError as error:
            return name, None, str(error)
        try:
            with tf.device("CPU"):
                return name, views_of(tf.constant(content)), None
        except tf.errors.ResourceExhaustedError as error:
            # Not the image's fault, and another time there may be enough.
            raise OSError(
                errno.ENOMEM,
                f"{name} could not be decoded, the memory does not suffice; take fewer "
                "--workers or a smaller --batch_size",
            ) from error
        except tf.errors.OpError as error:
            # Not decoded again op by op, for a text without the graph's names: threads
            # in which TensorFlow 2.21 raises at the same moment can block each other.
            return name, None, errors.message(error)

    return map_ahead(decode, pairs, workers, ahead, item_bytes=size_of)


def size_of(pair: tuple[Any, bytes | Exception]) -> int:
    """Counts the bytes of the content of a `(name, content)`."""
    return 0 if isinstance(pair[1], Exception) else len(pair[1])


def map_ahead(
    function: Callable[[Item], Result],
    items: Iterable[Item],
    workers: int | None = None,
    ahead: int = 32,
    item_bytes: Callable[[Item], int] | None = None,
    result_bytes: Callable[[Result], int] | None = None,
) -> Iterator[Result]:
    """Maps in threads, in order, with at most `ahead + 1` results waiting.

    Args:
        function: What is computed of one item.
        items: The items.
        workers: Threads; by default as many as there are cores.
        ahead: Items begun before the first result is asked for.
        item_bytes: What an item takes of the memory. Where that is much, fewer are
            begun: as many as take 256 MiB, or as there are threads.
        result_bytes: What a result takes of the memory, in the same way.

    Yields:
        The results, in the order of the items.
    """
    waiting: collections.deque[tuple[int, concurrent.futures.Future[Result]]]
    waiting = collections.deque()
    workers = workers or _cores()
    pool = concurrent.futures.ThreadPoolExecutor(workers)
    weighed = item_bytes or result_bytes
    # What the first ones take is not known before they are done.
    heaviest = 0.0
    limit = min(ahead, workers) if weighed else ahead
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
def _views_of(views):
    """The graph from encoded bytes to views, one for all who want the same."""
    resizes = [Resize(**dict(view)) for view in views]

    @tf.function(input_signature=[tf.TensorSpec([], tf.string)], autograph=False)
    def views_of(encoded):
        image = decode_image(encoded)
        return [resize(image) for resize in resizes]

    graph = views_of.get_concrete_function()

    def call(encoded):
        # Not `graph(encoded)`: where it fails, Python would look up which lines made
        # the node, under its lock, which takes ten times as long as all the rest.
        return tf.raw_ops.StatefulPartitionedCall(
            args=[encoded], Tout=[tf.float32] * len(resizes), f=graph
        )

    return call


def _reason(error):
    return getattr(error, "strerror", None) or str(error) or type(error).__name__


def _cores():
    if hasattr(os, "sched_getaffinity"):  # not on every system
        return len(os.sched_getaffinity(0))
    return os.cpu_count() or 1
