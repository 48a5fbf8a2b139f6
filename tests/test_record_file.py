"""A file of records: whole lines only, one writer, plain JSON."""

import errno
import json

import numpy as np
import pytest

from annotator import annotation, record_file
from annotator.record_file import RecordFile


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


def test_scores_that_are_no_numbers_stay_json():
    found = {
        "captioner": {
            "captions": [b"a", b""],
            "scores": np.float32([np.nan, -np.inf]),
        }
    }
    record = annotation._record("i", found)
    assert record["caption_score"] is None and record["captions"] == []
    assert json.loads(record_file.to_json(record)) == record


def test_another_process_may_finish_before_the_lock_is_taken(tmp_path, monkeypatch):
    def finished_meanwhile(file, path):
        (tmp_path / "o.jsonl").write_text('{"image": "0"}\n')

    monkeypatch.setattr(record_file, "_lock", finished_meanwhile)
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
        tmp_path / ".17.o.csv",
        [".17.p.csv", ".mine.o.csv", "a.17.o.csv"],
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
