"""Commands that are killed for real, at random moments."""

import importlib.util
import io
import pathlib
import re
import subprocess
import sys
import zipfile

import h5py
import numpy as np
import pytest

SCRIPT = pathlib.Path(__file__).parents[2] / "benchmarks" / "kill.py"


@pytest.mark.slow
@pytest.mark.timeout(1800)
def test_disturbed_runs_end_with_the_same_numbers(tmp_path):
    result = subprocess.run(
        [sys.executable, SCRIPT, f"--workdir={tmp_path / 'runs'}", "--kills=6"]
        + ["--full_disks=2", "--stops=2", "--only=tagger,rewards", "--seed=1"],
        capture_output=True,
        text=True,
    )
    assert result.returncode == 0, result.stdout + result.stderr
    assert re.search(
        r"6 kills, [02] full disks, 2 stops, 0 files differ", result.stdout
    )
    # Encoder, vectors, tags, words, tagger, and two files of scores.
    (row,) = re.findall(r"^tagger \| .*", result.stdout, re.M)[-1:]
    assert int(row.split(" | ")[-2]) >= 7, row


@pytest.fixture
def kill(monkeypatch):
    monkeypatch.syspath_prepend(SCRIPT.parent)
    spec = importlib.util.spec_from_file_location("kill", SCRIPT)
    module = importlib.util.module_from_spec(spec)
    spec.loader.exec_module(module)
    return module


def write_run(folder, vector=1.0, weight=1.0, metrics="{}"):
    for part in ("tagger", "metrics"):
        (folder / part).mkdir(parents=True)
    np.save(folder / "tagger" / "vectors.npy", np.array([vector]))
    np.savez(folder / "tagger" / "encoder.npz", kernel=np.array([vector]))
    (folder / "metrics" / "validation.json").write_text(metrics)
    weights = io.BytesIO()
    with h5py.File(weights, "w") as h5:
        h5["layers/scores/0"] = np.array([weight])
    with zipfile.ZipFile(folder / "tagger" / "tagger.keras", "w") as archive:
        archive.writestr("model.weights.h5", weights.getvalue())
    return folder


def test_comparison_sees_the_last_bit(kill, tmp_path):
    run = write_run(tmp_path / "a")
    assert kill.compare(run, write_run(tmp_path / "b")) == (4, [])
    near = float(np.nextafter(1.0, 2.0))
    for changes, names in (
        ({"vector": near}, ["encoder.npz", "vectors.npy"]),
        ({"weight": near}, ["tagger.keras"]),
        ({"metrics": "{ }"}, ["validation.json"]),
    ):
        other = write_run(tmp_path / names[0], **changes)
        assert [path.name for path in kill.compare(run, other)[1]] == names
    (run / "tagger" / "tagger.keras").unlink()
    other = write_run(tmp_path / "c")
    assert [path.name for path in kill.compare(run, other)[1]] == ["tagger.keras"]
