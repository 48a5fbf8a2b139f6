"""Image files decoded in threads ahead of their use; one bad image stays one image."""

import ast
import collections
import concurrent.futures
import functools
import os

import tensorflow as tf

from annotator import images


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
        except tf.errors.OpError as error:
            return name, None, _decoding_error(content, error)

    return map_ahead(decode, pairs, workers, ahead)


def map_ahead(function, items, workers=None, ahead=32):
    """`map` in threads, in order, with at most `ahead + 1` results waiting.

    Args:
        function: Of one item.
        items: Iterable.
        workers: Threads; by default as many as there are cores.
        ahead: Items begun before the first result is asked for.
    """
    waiting = collections.deque()
    pool = concurrent.futures.ThreadPoolExecutor(workers or _cores())
    try:
        for item in items:
            waiting.append(pool.submit(function, item))
            if len(waiting) > ahead:
                yield waiting.popleft().result()
        while waiting:
            yield waiting.popleft().result()
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
    message = str(error.message).split("}} ")[-1].split(" [Op:")[0]
    _, assertion, data = message.partition("Summarized data: ")
    if assertion:
        parts = [ast.literal_eval(line) for line in data.splitlines()]
        parts = [p.decode() if isinstance(p, bytes) else str(p) for p in parts]
        message = " ".join(parts)
    return " ".join(message.split())


def _cores():
    return len(os.sched_getaffinity(0)) if hasattr(os, "sched_getaffinity") else 4
