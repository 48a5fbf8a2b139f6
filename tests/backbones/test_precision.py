"""The precision that a machine computes natively."""

import pathlib

import pytest
import tensorflow as tf

from annotator.backbones.precision import resolve_precision


@pytest.mark.parametrize(
    ("cpu", "gpu", "expected"),
    [
        ("flags : avx2 avx512_bf16", None, "bfloat16"),
        ("flags : avx512f amx_bf16 amx_int8", None, "bfloat16"),
        ("flags : avx2 avx512f", None, "float32"),
        (None, None, "float32"),  # not Linux
        ("flags : avx512_bf16", (7, 5), "float32"),
        ("flags : avx2", (8, 0), "bfloat16"),
    ],
)
def test_precision_follows_the_hardware(cpu, gpu, expected, monkeypatch):
    def read(path, **_):
        assert str(path) == "/proc/cpuinfo"
        if cpu is None:
            raise FileNotFoundError
        return cpu

    devices = {"GPU": ["gpu"] if gpu else [], "TPU": []}
    details = {"compute_capability": gpu}
    config = tf.config
    monkeypatch.setattr(pathlib.Path, "read_text", read)
    monkeypatch.setattr(config, "list_physical_devices", devices.get)
    monkeypatch.setattr(config, "list_logical_devices", devices.get)
    monkeypatch.setattr(config.experimental, "get_device_details", lambda _: details)
    assert resolve_precision() == expected
    assert resolve_precision("float32") == "float32"
    devices["TPU"] = ["tpu"]
    assert resolve_precision() == "bfloat16"


def test_unknown_precision_is_named():
    with pytest.raises(ValueError, match="float8"):
        resolve_precision("float8")
