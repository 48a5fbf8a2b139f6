"""A file of records: whole lines only, one writer, plain JSON."""

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
