"""Runs where the system gives little: files, rights, and a clock that goes back."""

import contextlib
import errno
import json
import os
import pathlib
import resource
import subprocess
import sys
import time

import pytest

from annotator.annotation import run as annotation
from annotator.annotation.run import annotate

BENCHMARK = pathlib.Path(__file__).parents[2] / "benchmarks" / "surroundings.py"


@contextlib.contextmanager
def few_files(spare):
    """As `ulimit -n`: so many more files may be open than are."""
    soft, hard = resource.getrlimit(resource.RLIMIT_NOFILE)
    highest = max(map(int, os.listdir("/proc/self/fd")))
    resource.setrlimit(resource.RLIMIT_NOFILE, (highest + spare, hard))
    try:
        yield
    finally:
        resource.setrlimit(resource.RLIMIT_NOFILE, (soft, hard))


@pytest.mark.skipif(not os.path.isdir("/proc/self/fd"), reason="needs Linux")
@pytest.mark.parametrize("sidecars", [None, "txt"])
def test_few_files_may_be_open(sidecars, brightness, gray_images, tmp_path):
    with few_files(spare=20):
        found = annotate(
            ["m"], gray_images, tmp_path / "o.csv", sidecars=sidecars, batch_size=4
        )
    assert found == (25, 0)


def test_a_folder_that_nobody_may_list(brightness, gray_images, tmp_path, monkeypatch):
    closed = gray_images / "closed"
    closed.mkdir()

    def refusing(function):
        def call(path):
            if os.fspath(path) == str(closed):
                raise PermissionError(errno.EACCES, "Permission denied", str(closed))
            return function(path)

        return call

    for name in ("scandir", "listdir"):
        monkeypatch.setattr(os, name, refusing(getattr(os, name)))
    assert annotate(["m"], gray_images, tmp_path / "o.jsonl") == (26, 1)
    records = map(json.loads, (tmp_path / "o.jsonl").read_text().splitlines())
    (bad,) = (record for record in records if "error" in record)
    assert bad == {"image": str(closed), "error": "Permission denied"}


def test_a_clock_that_is_set_back(brightness, gray_images, tmp_path, monkeypatch):
    """What a run wrote before is from tomorrow."""
    output = tmp_path / "o.jsonl"
    arguments = (["m"], gray_images)
    annotate(*arguments, tmp_path / "undisturbed.jsonl", batch_size=4)
    append = annotation.RecordFile.append

    def interrupted(file, record):
        append(file, record)
        if file.records == 9:
            raise KeyboardInterrupt

    with monkeypatch.context() as patch, pytest.raises(KeyboardInterrupt):
        patch.setattr(annotation.RecordFile, "append", interrupted)
        annotate(*arguments, output, batch_size=4)
    tomorrow = time.time() + 86_400
    for path in tmp_path.rglob("*"):
        os.utime(path, (tomorrow, tomorrow))
    assert annotate(*arguments, output, batch_size=4) == (25, 0)
    assert output.read_bytes() == (tmp_path / "undisturbed.jsonl").read_bytes()


@pytest.mark.slow
@pytest.mark.timeout(1800)
def test_real_runs_in_bad_surroundings(tmp_path):
    command = [sys.executable, BENCHMARK, f"--workdir={tmp_path / 'runs'}"]
    result = subprocess.run(command, capture_output=True, text=True)
    assert result.returncode == 0, result.stdout + result.stderr
    assert " | NO" not in result.stdout and result.stdout.count(" | yes") >= 6
