"""Runs of `train.py` that are killed for real, at random moments."""

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
from PIL import Image

SCRIPT = pathlib.Path(__file__).parents[2] / "benchmarks" / "kill.py"


@pytest.fixture
def many_images(tmp_path):
    """600 small images, which fill several shards of a feature cache."""
    folder = tmp_path / "images"
    folder.mkdir()
    rng = np.random.default_rng(0)
    lines = ["image,tags,split"]
    for i in range(600):
        pixels = rng.integers(0, 255, (16, 16, 3)) // (1, 4)[i % 2]
        Image.fromarray(np.uint8(pixels)).save(folder / f"{i}.png")
        split = "validation" if i % 10 == 9 else "train"
        lines.append(f"{i}.png,{('light', 'dark')[i % 2]},{split}")
    (folder / "tags.csv").write_text("\n".join(lines))
    return folder


@pytest.mark.slow
@pytest.mark.timeout(900)
def test_killed_runs_end_with_the_same_numbers(many_images, tmp_path):
    train_flags = [
        "--task=tagger",
        "--dataset=folder",
        f"--data_dir={many_images}",
        "--backbone_weights=random",
        "--tap=block3_conv1",
        "--precision=float32",
        "--scales=32",
        "--batch_size=8",
        "--components=8",
        "--codebook=4",
    ]
    result = subprocess.run(
        [sys.executable, SCRIPT, f"--workdir={tmp_path / 'runs'}", "--kills=4"]
        + ["--seed=1", "--", *train_flags],
        capture_output=True,
        text=True,
    )
    assert result.returncode == 0, result.stdout + result.stderr
    (line,) = re.findall(r"(\d+) kills, (\d+) files", result.stdout)
    kills, compared = map(int, line)
    assert kills >= 3
    # Encoder, vectors, tags, words, tagger, and two files of scores.
    assert compared >= 7 and "0 differ" in result.stdout
    assert re.search(r"killed .* of features of folder", result.stdout)


@pytest.fixture
def kill():
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
