"""Records in Parquet: the same columns whatever they hold."""

import os

import pyarrow.parquet as pq
import pytest

from annotator.annotation import record_table
from annotator.annotation.record_file import RecordFile

RECORDS = [
    {"image": "é \n.jpg", "caption": "a dog", "caption_score": -0.25},
    {"image": os.fsdecode(b"\xff.jpg"), "error": os.fsdecode(b"\xfe is missing")},
    {
        "image": "b",
        "caption": "",
        "caption_score": None,
        "captions": [{"caption": "x", "score": -1.0, "word_probability": 0.4}],
        "tags": ["grass", "sky"],
        "tag_scores": [0.1, -0.2],
        "tag_probabilities": [0.9, 0.3],
    },
]


def test_what_a_record_lacks_is_null(tmp_path):
    record_table.write(tmp_path / "o.parquet", iter(RECORDS))
    table = pq.read_table(tmp_path / "o.parquet")
    assert table.schema == record_table.SCHEMA
    found = [
        {name: value for name, value in row.items() if value is not None}
        for row in table.to_pylist()
    ]
    assert found[0] == RECORDS[0]
    assert found[1] == {"image": "\\xff.jpg", "error": "\\xfe is missing"}
    assert found[2] == {k: v for k, v in RECORDS[2].items() if k != "caption_score"}


@pytest.mark.parametrize("count", [0, 1, 5])
def test_long_files_come_in_parts(count, tmp_path, monkeypatch):
    monkeypatch.setattr(record_table, "_ROWS", 2)
    path = tmp_path / "o.parquet"
    records = [{"image": f"{i}", "error": "e"} for i in range(count)]
    record_table.write(path, records)
    assert pq.ParquetFile(path).num_row_groups == -(-count // 2)
    assert pq.read_table(path)["image"].to_pylist() == [r["image"] for r in records]
    expected = [(f"{i}", "e") for i in range(count)]
    assert list(record_table.errors(path)) == expected


def test_a_finished_file_is_counted_again(tmp_path):
    path = tmp_path / "o.parquet"
    with RecordFile(path, {}) as file:
        for record in RECORDS:
            file.append(record)
        file.finish(None)
    assert [each.name for each in tmp_path.glob("*.partial")] == []
    with RecordFile(path, {}) as file:
        assert (file.finished, file.records, file.failed) == (True, 3, 1)
