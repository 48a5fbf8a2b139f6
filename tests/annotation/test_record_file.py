"""A file of records: whole lines only, one writer, plain JSON."""

import errno
import json
import os
import pathlib
import shutil
import subprocess
import sys

import numpy as np
import pytest

from annotator import files
from annotator.annotation import record_file
from annotator.annotation.record_file import RecordFile
from annotator.annotation.records import _record


def test_damage_in_the_middle_costs_what_follows_and_no_more(tmp_path):
    with RecordFile(tmp_path / "a.jsonl", {}) as file:
        for i in range(5):
            file.append({"image": f"{i}"})
    partial = tmp_path / "a.jsonl.partial"
    lines = partial.read_bytes().splitlines(keepends=True)
    for damaged in (b"\0" * len(lines[2]), b"17\n", b"{}\n"):
        partial.write_bytes(b"".join([*lines[:2], damaged, *lines[3:]]))
        with RecordFile(tmp_path / "a.jsonl", {}) as file:
            assert list(file.names()) == ["0", "1"] and file.records == 2
        assert partial.read_bytes() == b"".join(lines[:2])


def test_two_processes_cannot_write_one_output(tmp_path):
    with RecordFile(tmp_path / "o.jsonl", {}):
        with pytest.raises(BlockingIOError, match="being written by another process"):
            RecordFile(tmp_path / "o.jsonl", {})
    RecordFile(tmp_path / "o.jsonl", {}).__exit__()


def test_who_comes_second_changes_no_settings(tmp_path):
    """Also before the first one has written a record."""
    with RecordFile(tmp_path / "o.jsonl", {"top_k": 1}):
        with pytest.raises(BlockingIOError):
            RecordFile(tmp_path / "o.jsonl", {"top_k": 99})
        settings = json.loads((tmp_path / "o.jsonl.settings.json").read_text())
        assert settings.pop("run") and settings == {"top_k": 1}
    with RecordFile(tmp_path / "o.jsonl", {"top_k": 99}) as file:  # nothing was made
        assert not file.finished


def test_scores_that_are_no_numbers_stay_json():
    found = {
        "captioner": {
            "captions": [b"a", b""],
            "scores": np.float32([np.nan, -np.inf]),
            "word_probabilities": np.float32([np.nan, np.nan]),
        }
    }
    record = _record("i", found)
    assert record["caption_score"] is None and record["captions"] == []
    assert json.loads(record_file.to_json(record)) == record


def test_another_process_may_finish_before_the_lock_is_taken(tmp_path, monkeypatch):
    def finished_meanwhile(file, what):
        (tmp_path / "o.jsonl.settings.json").write_text("{}")
        (tmp_path / "o.jsonl").write_text('{"image": "0"}\n')

    monkeypatch.setattr(files, "lock", finished_meanwhile)
    with RecordFile(tmp_path / "o.jsonl", {}) as file:
        assert file.finished and file.records == 1


@pytest.mark.parametrize("known", [errno.ENOSYS, errno.ENOLCK, errno.EOPNOTSUPP])
def test_file_systems_without_locks_will_do(known, tmp_path, monkeypatch):
    def flock(file, operation):
        raise OSError(known, "no locks")

    monkeypatch.setattr("fcntl.flock", flock)
    with RecordFile(tmp_path / "o.jsonl", {}) as file:
        file.append({"image": "0"})
        file.finish(None)
    assert file.finished


def test_what_a_kill_left_of_the_output_goes_and_nothing_else(tmp_path):
    leftover, others = (
        tmp_path / ".annotator-0123456789abcdef.o.csv",
        [
            ".annotator-0123456789abcdef.p.csv",
            ".annotator-notes.o.csv",
            "a.annotator-0123456789abcdef.o.csv",
        ],
    )
    for path in (leftover, *(tmp_path / name for name in others)):
        path.touch()
    with RecordFile(tmp_path / "o.csv", {}):
        assert not leftover.exists()
    assert all((tmp_path / name).exists() for name in others)


def test_fields_of_any_length_are_read_again(tmp_path):
    record = {"image": "0", "tags": "sky;" * 50_000, "error": None}
    with RecordFile(tmp_path / "o.csv", {}) as file:
        file.append(record)
        file.finish(lambda record: record)
    with RecordFile(tmp_path / "o.csv", {}) as file:
        assert (file.records, file.failed) == (1, 0)


ON_A_SMALL_DISK = """
import errno, subprocess, sys
folder, ending, size = sys.argv[1:]
mount = ["mount", "-t", "tmpfs", "-o"]
if subprocess.run([*mount, f"size={size}", "tmpfs", folder]).returncode:
    sys.exit(77)
from annotator.annotation.record_file import RecordFile

def run():
    with RecordFile(f"{folder}/o.{ending}", {}) as file:
        for i in range(file.records, 2000):
            file.append({"image": f"{i}.png", "caption": "A dog runs over the grass ."})
        file.finish(lambda record: {**record, "error": None})
    return file

try:
    run()
except OSError as error:
    assert "the same command again" in str(error), error
    print(errno.errorcode[(error.__cause__ or error).errno])
subprocess.run([*mount, "remount,size=9m", "tmpfs", folder], check=True)
print(run().records)
with RecordFile(f"{folder}/o.{ending}", {}) as file:
    print(file.finished and file.is_of(f"{i}.png" for i in range(2000)))
"""


@pytest.mark.parametrize(
    ("ending", "size"),
    [
        *(("jsonl", "64k"), ("csv", "64k"), ("parquet", "64k")),
        *(("csv", "136k"), ("parquet", "136k")),  # enough for the records alone
    ],
)
def test_a_disk_that_is_full(ending, size, tmp_path):
    """A real one: what was written stays, and there it goes on."""
    if shutil.which("unshare") is None:
        pytest.skip("needs unshare, to mount a small disk")
    command = ["unshare", "-rm", sys.executable, "-c", ON_A_SMALL_DISK]
    found = subprocess.run(
        [*command, tmp_path, ending, size], capture_output=True, text=True, timeout=120
    )
    if found.returncode == 77 or "unshare" in found.stderr:
        pytest.skip(f"no small disk can be mounted here: {found.stderr.strip()[-200:]}")
    assert found.stdout.split() == ["ENOSPC", "2000", "True"], found.stderr


IN_SMALL_FILES = """
import resource, sys
from annotator.annotation.record_file import RecordFile

def run(path):
    with RecordFile(path, {}) as file:
        for i in range(file.records, 300):
            file.append({"image": f"{i}.png", "caption": "A dog runs over the grass ."})
        file.finish(lambda record: {**record, "error": None})
    return file

before = resource.getrlimit(resource.RLIMIT_FSIZE)
resource.setrlimit(resource.RLIMIT_FSIZE, (4096, before[1]))
for path in sys.argv[1:]:
    try:
        run(path)
    except OSError as error:
        print(type(error).__name__, "the same command again" in str(error))
resource.setrlimit(resource.RLIMIT_FSIZE, before)
for path in sys.argv[1:]:
    file = run(path)
    print(file.finished and file.is_of(f"{i}.png" for i in range(300)))
"""


def test_files_that_may_not_grow(tmp_path):
    """`ulimit -f`: what fits is kept, and without it the run goes on from there."""
    paths = [str(tmp_path / f"o.{ending}") for ending in ("jsonl", "csv", "parquet")]
    result = subprocess.run(
        [sys.executable, "-c", IN_SMALL_FILES, *paths], capture_output=True, text=True
    )
    lines = ["OSError True"] * 3 + ["True"] * 3
    assert result.stdout.splitlines() == lines, result.stderr


def test_an_output_that_is_no_file(tmp_path):
    foreign = tmp_path / "foreign"
    (tmp_path / "folder.jsonl").mkdir()
    (tmp_path / "link.jsonl").symlink_to(foreign)
    for name in ("folder.jsonl", "link.jsonl"):
        with pytest.raises(
            ValueError, match=f"{name} is a folder, or a link to nowhere"
        ):
            RecordFile(tmp_path / name, {})
    for name in ("a.jsonl.partial", "b.jsonl.settings.json"):
        foreign.write_text("mine")
        (tmp_path / name).symlink_to(foreign)
    with pytest.raises(OSError, match="a.jsonl.partial is a link"):
        RecordFile(tmp_path / "a.jsonl", {})
    with pytest.raises(ValueError, match="is not a JSON file"):
        RecordFile(tmp_path / "b.jsonl", {})
    assert foreign.read_text() == "mine"


IN_ASCII = """
import os, sys
from annotator.annotation.record_file import RecordFile

name = os.fsdecode(b"b\\xc3\\xbcro.png")
for path in sys.argv[1:]:
    with RecordFile(path, {}) as file:
        file.append({"image": name, "caption": "caf\\u00e9"})
        file.finish(lambda record: {**record, "error": None})
    with RecordFile(path, {}) as file:
        print(file.finished and file.is_of([name]), sys.getfilesystemencoding())
"""


def test_a_locale_of_ascii_and_no_home(tmp_path):
    environment = {"PATH": os.environ["PATH"], "LC_ALL": "C"}
    environment |= {"PYTHONUTF8": "0", "PYTHONCOERCECLOCALE": "0"}
    paths = [str(tmp_path / f"o.{ending}") for ending in ("jsonl", "csv", "parquet")]
    result = subprocess.run(
        [sys.executable, "-c", IN_ASCII, *paths],
        cwd=pathlib.Path(__file__).parents[2],
        env=environment,
        capture_output=True,
        text=True,
    )
    lines = [line.split()[0] for line in result.stdout.splitlines()]
    assert lines == ["True"] * 3, result.stderr
    record = json.loads((tmp_path / "o.jsonl").read_bytes())
    assert record["caption"] == "caf\u00e9"
