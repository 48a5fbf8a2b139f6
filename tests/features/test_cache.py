"""Caches of given maps: what is written is read, and only if it is whole."""

import json
import shutil

import numpy as np
import pytest

from annotator.features import shards
from annotator.features.cache import (
    CorruptCacheError,
    FeatureCache,
    regions_dataset,
    write_cache,
)

MAPS = np.random.default_rng(0).standard_normal((20, 2, 3, 5)).astype(np.float16)


@pytest.fixture(autouse=True)
def small_shards(monkeypatch):
    monkeypatch.setattr(shards, "SHARD_ROWS", 8)


@pytest.fixture
def cache(tmp_path):
    return write_cache(tmp_path / "cache", [MAPS[:8], MAPS[8:16], MAPS[16:]])


def test_what_is_written_is_read(cache):
    opened = FeatureCache.open(str(cache.directory))
    assert opened == cache
    assert (len(opened), opened.shape, opened.bad) == (20, (2, 3, 5), {})
    rows = [17, 3, 8, 3, 0]
    maps = opened.gather(rows)
    assert maps.dtype == np.float16
    np.testing.assert_array_equal(maps, MAPS[rows])
    np.testing.assert_array_equal(opened.regions(rows), MAPS[rows].reshape(5, 6, 5))


def test_a_short_block_must_be_the_last(tmp_path):
    with pytest.raises(ValueError, match="must have 8 rows, got 5"):
        write_cache(tmp_path, [MAPS[:5], MAPS[5:13]])
    with pytest.raises(CorruptCacheError, match="not finished"):
        FeatureCache.open(tmp_path)


def test_views_stand_side_by_side(cache):
    batches = list(regions_dataset([cache, cache], np.arange(10), 4))
    assert [len(rows) for rows, _ in batches] == [4, 4, 2]
    rows, regions = batches[1]
    np.testing.assert_array_equal(rows, [4, 5, 6, 7])
    np.testing.assert_array_equal(regions[:, :6], cache.regions(rows.numpy()))
    np.testing.assert_array_equal(regions[:, 6:], regions[:, :6])


def test_unfinished_cache_is_not_opened(cache):
    path = cache.directory / "manifest.json"
    manifest = json.loads(path.read_text())
    manifest["finished"] = False
    path.write_text(json.dumps(manifest))
    with pytest.raises(CorruptCacheError, match="not finished"):
        FeatureCache.open(cache.directory)
    with pytest.raises(CorruptCacheError, match="not finished"):
        FeatureCache.open(cache.directory / "absent")


def test_shards_that_are_lost_or_altered_are_named(cache):
    (cache.directory / "shard-00002.npy").unlink()
    path = cache.directory / "shard-00000.npy"
    np.save(path, np.load(path) + np.float16(1))
    with pytest.raises(CorruptCacheError, match=r"Shards \[0, 2\]"):
        FeatureCache.open(cache.directory)


@pytest.mark.parametrize("name", ["../outside.npy", "/OUTSIDE", "shard-00001.npy"])
def test_a_manifest_names_no_other_files(name, cache, tmp_path):
    outside = tmp_path / "outside.npy"
    shutil.copy(cache.directory / "shard-00000.npy", outside)
    path = cache.directory / "manifest.json"
    manifest = json.loads(path.read_text())
    manifest["shards"][0]["file"] = name.replace("/OUTSIDE", str(outside))
    path.write_text(json.dumps(manifest))
    with pytest.raises(CorruptCacheError, match=r"Shards \[0\]"):
        FeatureCache.open(cache.directory)


def test_a_shard_is_no_link(cache, tmp_path):
    path = cache.directory / "shard-00000.npy"
    path.rename(tmp_path / "outside.npy")
    path.symlink_to(tmp_path / "outside.npy")
    with pytest.raises(CorruptCacheError, match=r"Shards \[0\]"):
        FeatureCache.open(cache.directory)
