"""Caches of several splits that are read as one."""

import dataclasses

import numpy as np

from annotator.features.cache import regions_dataset, write_cache
from annotator.features.joined_cache import JoinedCache

MAPS = np.random.default_rng(0).normal(size=(7, 2, 3, 4)).astype(np.float16)


def joined(tmp_path):
    first, second = (
        write_cache(tmp_path / name, [maps])
        for name, maps in (("a", MAPS[:3]), ("b", MAPS[3:]))
    )
    return JoinedCache((first, dataclasses.replace(second, bad={1: "torn"})))


def test_rows_of_both_come_in_the_order_asked_for(tmp_path):
    cache = joined(tmp_path)
    assert (len(cache), cache.shape, cache.bad) == (7, (2, 3, 4), {4: "torn"})
    rows = [6, 0, 3, 2, 2]
    np.testing.assert_array_equal(cache.gather(rows), MAPS[rows])
    np.testing.assert_array_equal(cache.regions(rows), MAPS[rows].reshape(5, 6, 4))


def test_it_streams_as_one_cache_does(tmp_path):
    batches = list(regions_dataset([joined(tmp_path)], np.arange(7), 4))
    regions = np.concatenate([regions for _, regions in batches])
    np.testing.assert_array_equal(regions, MAPS.reshape(7, 6, 4))
