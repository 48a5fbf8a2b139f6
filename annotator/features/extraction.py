"""Extraction: a backbone run over a data set once, resumable at any point.

The folder of a cache is named after everything that decides its content (pixels, view,
backbone weights, tap, precision), so that another run with the same opens it, and any
other makes a cache of its own.
"""

import hashlib
import itertools
import json
import os
import pathlib
import time
from typing import TYPE_CHECKING

import keras
import numpy as np
import tensorflow as tf

from annotator import files
from annotator.backbones.weights import weights_fingerprint
from annotator.features import shards
from annotator.features.cache import FeatureCache
from annotator.images.decode import DECODING
from annotator.images.read_ahead import decode_ahead
from annotator.images.resize import Resize
from annotator.terminal.progress import FEATURES, Bars, Progress

if TYPE_CHECKING:
    from annotator.datasets import AnnotatedImages


class BadImageError(ValueError):
    """An image of a data set that cannot be read."""


def extract(
    annotated: "AnnotatedImages",
    resize: Resize,
    backbone: keras.Model,
    tap: str,
    cache_dir: str | os.PathLike[str],
    *,
    skip_bad_images: bool = False,
    batch_size: int = 32,
    progress: Progress | None = None,
) -> FeatureCache:
    """Opens the feature cache of a split; computes or completes it if need be.

    Args:
        annotated: The images.
        resize: The view of the images.
        backbone: Model from `annotator.backbones.build_backbone`.
        tap: Which of its outputs to keep.
        cache_dir: Folder that holds caches.
        skip_bad_images: Keep a zero map and a note for an image that cannot be read,
            rather than stopping at it.
        batch_size: Images per forward pass. It must divide `SHARD_ROWS`, so that a
            continued extraction forms the same batches as an undisturbed one.
        progress: What is told of how far it is; by default a bar.

    Returns:
        The finished cache.

    Raises:
        ValueError: When there are no images, or `batch_size` does not divide.
        BadImageError: When an image cannot be read, unless `skip_bad_images`.
    """
    if not len(annotated):
        raise ValueError(f"{annotated.name} {annotated.split} has no images.")
    if shards.SHARD_ROWS % batch_size:
        raise ValueError(
            f"batch_size must divide {shards.SHARD_ROWS}, got {batch_size}."
        )
    identity = {
        "images": annotated.fingerprint(),
        "decoding": DECODING,
        "view": resize.view,
        "backbone": backbone.name,
        "weights": weights_fingerprint(backbone),
        "precision": backbone.get_layer(tap).compute_dtype,
        "tap": tap,
    }
    key = hashlib.sha256(json.dumps(identity, sort_keys=True).encode()).hexdigest()[:16]
    name = f"{annotated.name}-{annotated.split}-{backbone.name}-{tap}-{key}"
    directory = pathlib.Path(cache_dir) / "features" / name.replace("/", "_")
    manifest = _whole_manifest(directory, annotated)
    if manifest is None or not manifest["finished"]:
        with files.writing_to(cache_dir, "cache_dir"):
            directory.mkdir(parents=True, exist_ok=True)
            lock = files.open_to_append(directory / ".lock")
        with lock as file, files.writing_to(cache_dir, "cache_dir"):
            files.lock(file, f"{directory} is being computed", wait=True)
            files.remove_leftovers(directory.glob(".*"))
            # Now, and not before: another process may have been at it.
            manifest = _whole_manifest(directory, annotated) or {
                "identity": identity,
                "rows": len(annotated),
                "shape": None,
                "shards": [],
                "bad": {},
                "unread": [],
                "finished": False,
            }
            if not manifest["finished"]:
                _complete(
                    directory,
                    manifest,
                    annotated,
                    resize,
                    backbone,
                    tap,
                    batch_size,
                    progress or Bars(),
                )
    cache = FeatureCache.from_manifest(directory, manifest)
    if cache.bad and not skip_bad_images:
        raise BadImageError(_describe_bad(annotated, cache.bad))
    return cache


def _complete(
    directory, manifest, annotated, resize, backbone, tap, batch_size, progress
):
    """Writes the shards that are missing, one by one."""
    done = sum(shard["rows"] for shard in manifest["shards"])
    manifest["bad"] = {
        row: why for row, why in manifest["bad"].items() if int(row) < done
    }
    manifest["unread"] = [row for row in manifest["unread"] if row < done]

    # A graph for any number of images: the last batch has fewer.
    spec = tf.TensorSpec((None, resize.size, resize.size, 3))
    maps_of = tf.function(
        lambda pixels: backbone(pixels, training=False)[tap], autograph=False
    ).get_concrete_function(spec)
    batches = _pixel_batches(annotated, resize, done, batch_size)
    running = progress.stage(
        FEATURES,
        f"{annotated.name} {annotated.split}",
        len(annotated),
        "image",
        done,
    )
    shard, start = [], time.monotonic()
    with running:
        for pixels, reasons, unread in batches:
            maps = maps_of(pixels).numpy()
            for offset, reason in enumerate(reasons):
                if reason:
                    row = done + sum(map(len, shard)) + offset
                    manifest["bad"][str(row)] = reason
                    if unread[offset]:
                        manifest["unread"].append(row)
                    maps[offset] = 0
            shard.append(maps)
            running.update(len(maps))
            rows = sum(map(len, shard))
            if rows == shards.SHARD_ROWS or done + rows == len(annotated):
                shards.write_shard(directory, manifest, np.concatenate(shard))
                done, shard = done + rows, []
    seconds = time.monotonic() - start
    manifest["seconds"] = round(manifest.get("seconds", 0.0) + seconds, 1)
    manifest["finished"] = True
    shards.write_manifest(directory, manifest)


def _pixel_batches(annotated, resize, start, batch_size):
    """`(pixels [B, size, size, 3], reasons, unread)` of the images from `start` on.

    A reason is `None` for a good image; `unread` tells of each whether its file could
    not even be read.
    """
    blank = np.zeros((resize.size, resize.size, 3), np.float32)
    encoded = annotated.encoded_images(start).prefetch(batch_size)
    contents = _contents(annotated, encoded.as_numpy_iterator())
    decoded = decode_ahead(contents, [resize], ahead=2 * batch_size)
    while batch := list(itertools.islice(decoded, batch_size)):
        unread, views, reasons = zip(*batch, strict=True)
        pixels = tf.stack([blank if view is None else view[0] for view in views])
        yield pixels, reasons, unread


def _contents(annotated, encoded):
    """`(unread, content)` of each image, for `decode_ahead`."""
    for row, content in encoded:
        if not content:
            try:
                content = annotated.source.read(row)
            except OSError as error:
                content = error
        yield isinstance(content, OSError), content


def _whole_manifest(directory, annotated):
    """The manifest without what has to be computed again; `None` if there is none.

    That are shards that were altered or lost, or hold an image whose file could not be
    read then and can be now, and all that follow them.
    """
    manifest = shards.read_manifest(directory)
    if manifest is None:
        return None
    again = shards.damaged_shards(directory, manifest)
    again += [
        row // shards.SHARD_ROWS
        for row in manifest["unread"]
        if _is_readable(annotated, row)
    ]
    if again:
        manifest["shards"] = manifest["shards"][: min(again)]
        manifest["finished"] = False
    return manifest


def _is_readable(annotated, row):
    try:
        annotated.source.read(row)
    except OSError:
        return False
    return True


def _describe_bad(annotated, bad):
    first = [f"{annotated.image_ids[row]}: {why}" for row, why in sorted(bad.items())]
    return (
        f"{len(bad)} of {len(annotated)} images of {annotated.name} "
        f"{annotated.split} cannot be read; pass --skip_bad_images to go on without "
        "them. The first: " + "; ".join(first[:5])
    )
