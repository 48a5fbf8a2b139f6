"""The files of a feature cache: shards of maps, and the manifest that lists them.

A manifest is a JSON object with the keys

- `identity`: what decides the content (see `extraction`), and `rows`: of how many
  images;
- `shape`: `[h, w, channels]` of one image's map;
- `shards`: the `file`, `rows` and `crc32` of each shard that is whole, in order;
- `bad`: row -> reason, for images that could not be read, and `unread`: the rows of
  those whose file could not even be read;
- `finished`: whether there are shards of all rows, and `seconds`: what they took.
"""

import pathlib
import zlib
from typing import Any

import numpy as np

from annotator import files, loading

# Images of one shard: what a kill can cost, and the unit of verification.
SHARD_ROWS = 256
_MANIFEST = "manifest.json"


def read_manifest(directory: pathlib.Path) -> dict[str, Any] | None:
    """Reads the manifest of a cache.

    Args:
        directory: Folder of the cache.

    Returns:
        The manifest, or `None` if there is none.
    """
    path = directory / _MANIFEST
    return files.read_json(path) if path.is_file() else None


def write_manifest(directory: pathlib.Path, manifest: dict[str, Any]) -> None:
    """Writes the manifest of a cache, atomically.

    Args:
        directory: Folder of the cache.
        manifest: What `read_manifest` shall return.
    """
    files.write_json(directory / _MANIFEST, manifest)


def write_shard(
    directory: pathlib.Path, manifest: dict[str, Any], maps: np.ndarray
) -> None:
    """Writes the next shard of a cache, and the manifest that has it.

    Args:
        directory: Folder of the cache.
        manifest: Its manifest, which gets the shard.
        maps: float16 `[rows, h, w, channels]`; `SHARD_ROWS` rows unless it is the last.
    """
    name = _file_name(len(manifest["shards"]))
    with files.atomic_path(directory / name) as temporary:
        np.save(temporary, maps, allow_pickle=False)
    manifest["shape"] = list(maps.shape[1:])
    manifest["shards"].append(
        {
            "file": name,
            "rows": len(maps),
            "crc32": _checksum(maps),
        }
    )
    write_manifest(directory, manifest)


def load_shard(path: pathlib.Path) -> np.ndarray:
    """Maps a shard into memory.

    Args:
        path: File of the shard.

    Returns:
        float16 `[rows, h, w, channels]`.
    """
    return loading.array(path, mmap_mode="r")


def damaged_shards(directory: pathlib.Path, manifest: dict[str, Any]) -> list[int]:
    """Finds shards that are missing, unreadable, not ours or have another checksum.

    Args:
        directory: Folder of the cache.
        manifest: Its manifest.

    Returns:
        Their indices.
    """
    damaged = []
    for index, shard in enumerate(manifest["shards"]):
        try:
            path = directory / _file_name(index)
            maps = load_shard(path)
            whole = shard["file"] == path.name and not path.is_symlink()
            whole &= len(maps) == shard["rows"] and _checksum(maps) == shard["crc32"]
        except (OSError, ValueError):
            whole = False
        if not whole:
            damaged.append(index)
    return damaged


def _file_name(index):
    return f"shard-{index:05d}.npy"


def _checksum(maps):
    return zlib.crc32(np.ascontiguousarray(maps).data)
