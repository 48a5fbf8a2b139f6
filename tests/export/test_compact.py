"""Weights in 8 bits: how far they are rounded, and what is kept as it is."""

import numpy as np
import pytest

from annotator.export.compact import quantize, read_compact, write_compact

RNG = np.random.default_rng(0)


def test_no_weight_moves_by_more_than_half_a_step_of_its_channel():
    array = RNG.normal(size=(50, 7)).astype(np.float32) * np.geomspace(1e-3, 1e3, 7)
    array[:, 3] = 0
    codes, scale = quantize(array)
    assert codes.dtype == np.int8 and scale.shape == (7,)
    error = np.abs(codes * scale - array)
    assert np.all(error <= scale / 2 * (1 + 1e-5))
    np.testing.assert_array_equal((codes * scale)[:, 3], 0)
    # The largest of each channel is met, so that rounding again changes nothing.
    again, same = quantize(codes * scale)
    np.testing.assert_array_equal(again, codes)
    np.testing.assert_allclose(same, scale, rtol=1e-6)


def test_large_arrays_are_rounded_and_the_others_kept(tmp_path):
    arrays = {
        "kernel": RNG.normal(size=(64, 64)).astype(np.float32),
        "small": RNG.normal(size=(3, 3)).astype(np.float32),
        "vector": RNG.normal(size=5000).astype(np.float32),
        "counts": np.arange(5),
        "halves": RNG.normal(size=(64, 64)).astype(np.float16),
    }
    path = tmp_path / "a.safetensors"
    write_compact(path, arrays, task="test")
    read = read_compact(path)
    assert read.keys() == arrays.keys()
    for name in ("small", "vector", "counts", "halves"):
        np.testing.assert_array_equal(read[name], arrays[name])
    codes, scale = quantize(arrays["kernel"])
    np.testing.assert_array_equal(read["kernel"], codes * scale)
    assert path.stat().st_size < 3 * 64 * 64 + 5000 * 4 + 2000


def test_scalars_stay_scalars(tmp_path):
    write_compact(tmp_path / "a.safetensors", {"sharpness": np.float32(2.5)})
    read = read_compact(tmp_path / "a.safetensors")["sharpness"]
    assert read.shape == () and read == 2.5


def test_equal_arrays_make_equal_bytes(tmp_path):
    arrays = {"b": np.ones((70, 70), np.float32), "a": np.zeros(3, np.float32)}
    contents = []
    for name in ("x", "y"):
        write_compact(tmp_path / name, arrays, task="test", other=1)
        contents.append((tmp_path / name).read_bytes())
    assert contents[0] == contents[1]


def test_a_damaged_file_is_named(tmp_path):
    path = tmp_path / "torn.safetensors"
    path.write_bytes(b"\x10\0\0\0\0\0\0\0{}")
    with pytest.raises(ValueError, match="torn.safetensors is damaged"):
        read_compact(path)
