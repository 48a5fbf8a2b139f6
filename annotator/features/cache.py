"""Feature maps on disk: a backbone is run over a data set once, resumable at any point.

A cache is a folder named after everything that decides its content (pixels, view,
backbone weights, tap, precision). It holds `.npy` shards of float16 maps, read as
memory maps, and a manifest with a checksum of each shard.
"""

import dataclasses
import hashlib
import itertools
import json
import pathlib
import time
import zlib

import numpy as np
import tensorflow as tf
import tqdm

from annotator import files
from annotator.backbones import backbone as backbones
from annotator.images import decode as images
from annotator.images.read_ahead import decode_ahead

# Images of one shard: what a kill can cost, and the unit of verification.
SHARD_ROWS = 256
_MANIFEST = "manifest.json"


class BadImageError(ValueError):
    """An image of a data set cannot be read."""


class CorruptCacheError(RuntimeError):
    """A feature cache on disk is not what its manifest says."""


@dataclasses.dataclass(frozen=True)
class FeatureCache:
    """Feature maps of the images of one split, in its order.

    Attributes:
        directory: Folder of the shards.
        shape: Shape of one image's map, `(h, w, channels)`.
        bad: Row -> reason, for images that could not be read; their maps are zero.
    """

    directory: pathlib.Path
    shape: tuple
    bad: dict
    _rows: int
    _shards: tuple = dataclasses.field(repr=False)

    @classmethod
    def open(cls, directory):
        """Opens a finished cache and verifies every shard against its checksum.

        Raises:
            CorruptCacheError: If the cache is unfinished, or a shard was altered.
        """
        directory = pathlib.Path(directory)
        manifest = _read_manifest(directory)
        if manifest is None or not manifest["finished"]:
            raise CorruptCacheError(f"The feature cache {directory} is not finished.")
        damaged = _damaged_shards(directory, manifest)
        if damaged:
            raise CorruptCacheError(
                f"Shards {damaged} of the feature cache {directory} are missing or "
                "altered; run the training command again to make them anew."
            )
        return cls._from_manifest(directory, manifest)

    @classmethod
    def _from_manifest(cls, directory, manifest):
        rows = sum(shard["rows"] for shard in manifest["shards"])
        shards = tuple(directory / shard["file"] for shard in manifest["shards"])
        bad = {int(row): reason for row, reason in manifest["bad"].items()}
        return cls(directory, tuple(manifest["shape"]), bad, rows, shards)

    def __len__(self):
        return self._rows

    def gather(self, rows):
        """Maps of the given rows, in their order: float16 `[rows, h, w, channels]`."""
        rows = np.asarray(rows)
        maps = np.empty((len(rows), *self.shape), np.float16)
        shard_of = rows // SHARD_ROWS
        for shard in np.unique(shard_of):
            here = shard_of == shard
            # Mapped anew each time: pages of a lasting map would count as memory.
            maps[here] = _load(self._shards[shard])[rows[here] % SHARD_ROWS]
        return maps

    def regions(self, rows):
        """As `gather`, the grid flattened: float16 `[rows, h * w, channels]`."""
        height, width, channels = self.shape
        return self.gather(rows).reshape(len(rows), height * width, channels)


def regions_dataset(caches, rows, batch_size):
    """Streams the regions of several views, side by side.

    Args:
        caches: One `FeatureCache` per view of the same images.
        rows: Rows to read, int `[N]`.
        batch_size: Images per batch.

    Returns:
        `tf.data.Dataset` of `(rows [B], regions float16 [B, R, channels])`, where R is
        the sum over views of `h * w`.
    """
    channels = caches[0].shape[-1]
    regions = sum(cache.shape[0] * cache.shape[1] for cache in caches)

    def read(rows):
        return np.concatenate([cache.regions(rows) for cache in caches], axis=1)

    def load(rows):
        maps = tf.numpy_function(read, [rows], tf.float16, stateful=False)
        return rows, tf.ensure_shape(maps, [None, regions, channels])

    dataset = tf.data.Dataset.from_tensor_slices(np.asarray(rows, np.int64))
    return dataset.batch(batch_size).map(load).prefetch(2)


def extract(
    annotated, resize, backbone, tap, cache_dir, *, skip_bad_images=False, batch_size=32
):
    """The feature cache of a split: opened if it is there, else computed or completed.

    Args:
        annotated: `annotator.datasets.AnnotatedImages`.
        resize: `annotator.images.Resize`, the view of the images.
        backbone: Model from `annotator.backbone.build_backbone`.
        tap: Which of its outputs to keep.
        cache_dir: Folder that holds caches.
        skip_bad_images: Keep a zero map and a note for an image that cannot be read,
            rather than stopping at it.
        batch_size: Images per forward pass. It must divide `SHARD_ROWS`, so that a
            continued extraction forms the same batches as an undisturbed one.

    Returns:
        `FeatureCache`.

    Raises:
        ValueError: If there are no images, or `batch_size` does not divide.
        BadImageError: At an image that cannot be read, unless `skip_bad_images`.
    """
    if not len(annotated):
        raise ValueError(f"{annotated.name} {annotated.split} has no images.")
    if SHARD_ROWS % batch_size:
        raise ValueError(f"batch_size must divide {SHARD_ROWS}, got {batch_size}.")
    identity = {
        "images": annotated.fingerprint(),
        "decoding": images.DECODING,
        "view": resize.view,
        "backbone": backbone.name,
        "weights": backbones.weights_fingerprint(backbone),
        "precision": backbone.get_layer(tap).compute_dtype,
        "tap": tap,
    }
    key = hashlib.sha256(json.dumps(identity, sort_keys=True).encode()).hexdigest()[:16]
    name = f"{annotated.name}-{annotated.split}-{backbone.name}-{tap}-{key}"
    directory = pathlib.Path(cache_dir) / "features" / name.replace("/", "_")
    manifest = _whole_manifest(directory, annotated)
    if manifest is None or not manifest["finished"]:
        directory.mkdir(parents=True, exist_ok=True)
        with open(directory / ".lock", "ab") as file:
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
                    directory, manifest, annotated, resize, backbone, tap, batch_size
                )
    cache = FeatureCache._from_manifest(directory, manifest)
    if cache.bad and not skip_bad_images:
        raise BadImageError(_describe_bad(annotated, cache.bad))
    return cache


def _complete(directory, manifest, annotated, resize, backbone, tap, batch_size):
    """Writes the shards that are missing, one by one."""
    done = sum(shard["rows"] for shard in manifest["shards"])
    manifest["bad"] = {
        row: why for row, why in manifest["bad"].items() if int(row) < done
    }
    manifest["unread"] = [row for row in manifest["unread"] if row < done]

    @tf.function
    def maps_of(pixels):
        return backbone(pixels, training=False)[tap]

    batches = _pixel_batches(annotated, resize, done, batch_size)
    progress = tqdm.tqdm(
        total=len(annotated),
        initial=done,
        unit="image",
        desc=f"{backbone.name} over {annotated.name} {annotated.split}",
    )
    rows, start = [], time.monotonic()
    with progress:
        for pixels, reasons, unread in batches:
            maps = maps_of(pixels).numpy()
            for offset, reason in enumerate(reasons):
                if reason:
                    row = done + sum(map(len, rows)) + offset
                    manifest["bad"][str(row)] = reason
                    manifest["unread"] += [row] * unread[offset]
                    maps[offset] = 0
            rows.append(maps)
            progress.update(len(maps))
            written = sum(map(len, rows))
            if written == SHARD_ROWS or done + written == len(annotated):
                _write_shard(directory, manifest, np.concatenate(rows))
                done, rows = done + written, []
    seconds = time.monotonic() - start
    manifest["seconds"] = round(manifest.get("seconds", 0.0) + seconds, 1)
    manifest["finished"] = True
    files.write_json(directory / _MANIFEST, manifest)


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


def _write_shard(directory, manifest, maps):
    index = len(manifest["shards"])
    name = f"shard-{index:05d}.npy"
    with files.atomic_path(directory / name) as temporary:
        np.save(temporary, maps, allow_pickle=False)
    manifest["shape"] = list(maps.shape[1:])
    manifest["shards"].append(
        {
            "file": name,
            "rows": len(maps),
            "crc32": zlib.crc32(np.ascontiguousarray(maps)),
        }
    )
    files.write_json(directory / _MANIFEST, manifest)


def _whole_manifest(directory, annotated):
    """The manifest without what has to be computed again; `None` if there is none.

    That are shards that were altered or lost, or hold an image whose file could not be
    read then and can be now, and all that follow them.
    """
    manifest = _read_manifest(directory)
    if manifest is None:
        return None
    again = _damaged_shards(directory, manifest)
    again += [
        row // SHARD_ROWS for row in manifest["unread"] if _is_readable(annotated, row)
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


def _read_manifest(directory):
    path = directory / _MANIFEST
    return files.read_json(path) if path.is_file() else None


def _damaged_shards(directory, manifest):
    """Indices of shards that are missing, unreadable or have another checksum."""
    damaged = []
    for index, shard in enumerate(manifest["shards"]):
        try:
            maps = _load(directory / shard["file"])
            whole = len(maps) == shard["rows"] and zlib.crc32(maps) == shard["crc32"]
        except (OSError, ValueError):
            whole = False
        if not whole:
            damaged.append(index)
    return damaged


def _load(path):
    return np.load(path, mmap_mode="r", allow_pickle=False)


def _describe_bad(annotated, bad):
    first = [f"{annotated.image_ids[row]}: {why}" for row, why in sorted(bad.items())]
    return (
        f"{len(bad)} of {len(annotated)} images of {annotated.name} "
        f"{annotated.split} cannot be read; pass --skip_bad_images to go on without "
        "them. The first: " + "; ".join(first[:5])
    )
