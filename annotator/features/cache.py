"""The feature cache: maps of the images of a split, on disk, verified."""

import dataclasses
import os
import pathlib
from collections.abc import Iterable, Sequence
from typing import Any, Protocol

import numpy as np
import tensorflow as tf

from annotator.features import shards


class CorruptCacheError(RuntimeError):
    """A feature cache on disk that is not what its manifest says."""


class RegionSource(Protocol):
    """Regions of images by their rows: a `FeatureCache`, or several joined."""

    @property
    def shape(self) -> tuple[int, ...]:
        """Shape of one image's map, `(h, w, channels)`."""

    def regions(self, rows: Sequence[int] | np.ndarray) -> np.ndarray:
        """Regions float16 `[N, h * w, channels]`."""


@dataclasses.dataclass(frozen=True)
class FeatureCache:
    """Feature maps of the images of one split, in its order.

    Attributes:
        directory: Folder of the shards.
        shape: Shape of one image's map, `(h, w, channels)`.
        bad: Row -> reason, for images that could not be read; their maps are zero.
    """

    directory: pathlib.Path
    shape: tuple[int, ...]
    bad: dict[int, str]
    _rows: int
    _shards: tuple[pathlib.Path, ...] = dataclasses.field(repr=False)

    @classmethod
    def open(cls, directory: str | os.PathLike[str]) -> "FeatureCache":
        """Opens a finished cache and verifies every shard against its checksum.

        Args:
            directory: Folder of the shards.

        Returns:
            The cache.

        Raises:
            CorruptCacheError: When the cache is unfinished, or a shard was altered.
        """
        directory = pathlib.Path(directory)
        manifest = shards.read_manifest(directory)
        if manifest is None or not manifest["finished"]:
            raise CorruptCacheError(f"The feature cache {directory} is not finished.")
        damaged = shards.damaged_shards(directory, manifest)
        if damaged:
            raise CorruptCacheError(
                f"Shards {damaged} of the feature cache {directory} are missing or "
                "altered; run the training command again to make them anew."
            )
        return cls.from_manifest(directory, manifest)

    @classmethod
    def from_manifest(
        cls, directory: pathlib.Path, manifest: dict[str, Any]
    ) -> "FeatureCache":
        """Opens a finished cache whose shards have been verified.

        Args:
            directory: Folder of the shards.
            manifest: Its manifest, see `annotator.features.shards`.

        Returns:
            The cache.
        """
        rows = sum(shard["rows"] for shard in manifest["shards"])
        paths = tuple(directory / shard["file"] for shard in manifest["shards"])
        bad = {int(row): reason for row, reason in manifest["bad"].items()}
        return cls(directory, tuple(manifest["shape"]), bad, rows, paths)

    def __len__(self) -> int:
        return self._rows

    def gather(self, rows: Sequence[int] | np.ndarray) -> np.ndarray:
        """Reads maps.

        Args:
            rows: Rows of images, int `[N]`.

        Returns:
            float16 `[N, h, w, channels]`, in the order of `rows`.
        """
        rows = np.asarray(rows)
        maps = np.empty((len(rows), *self.shape), np.float16)
        shard_of = rows // shards.SHARD_ROWS
        for shard in np.unique(shard_of):
            here = shard_of == shard
            # Mapped anew each time: pages of a lasting map would count as memory.
            shard_maps = shards.load_shard(self._shards[shard])
            maps[here] = shard_maps[rows[here] % shards.SHARD_ROWS]
        return maps

    def regions(self, rows: Sequence[int] | np.ndarray) -> np.ndarray:
        """Reads maps, their grids flattened.

        Args:
            rows: Rows of images, int `[N]`.

        Returns:
            float16 `[N, h * w, channels]`, in the order of `rows`.
        """
        return flattened(self.gather(rows))


def flattened(maps: np.ndarray) -> np.ndarray:
    """The maps `[N, h, w, channels]` as regions `[N, h * w, channels]`."""
    count, height, width, channels = maps.shape
    return maps.reshape(count, height * width, channels)


def write_cache(
    directory: str | os.PathLike[str], blocks: Iterable[np.ndarray]
) -> FeatureCache:
    """Writes a finished cache of given maps.

    Args:
        directory: Folder of the shards; made if missing.
        blocks: Arrays float16 `[rows, h, w, channels]`, one a shard: all but the last
            have `SHARD_ROWS` rows.

    Returns:
        The cache, verified.

    Raises:
        ValueError: When a block that is not the last has another number of rows.
    """
    directory = pathlib.Path(directory)
    manifest: dict[str, Any] = {"shape": None, "shards": [], "bad": {}, "unread": []}
    manifest["finished"] = False
    for maps in blocks:
        if any(shard["rows"] != shards.SHARD_ROWS for shard in manifest["shards"]):
            raise ValueError(
                f"All blocks but the last must have {shards.SHARD_ROWS} rows, got "
                f"{manifest['shards'][-1]['rows']}."
            )
        shards.write_shard(directory, manifest, maps)
    shards.write_manifest(directory, {**manifest, "finished": True})
    return FeatureCache.open(directory)


def regions_dataset(
    caches: Sequence[RegionSource],
    rows: Sequence[int] | np.ndarray,
    batch_size: int,
) -> tf.data.Dataset:
    """Streams the regions of several views, side by side.

    Args:
        caches: One cache per view of the same images.
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
