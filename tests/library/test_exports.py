"""What other programs are given."""

import csv
import json

import pytest

from annotator.datasets.own import folder
from annotator.library import exports

RECORDS = [
    {
        "name": "a.jpg",
        "caption": 'The "sea", calm',
        "caption_by": "person",
        "accepted": ["sea", "dog; cat"],
        "rejected": ["sky"],
        "suggested": [["boat", 0.5]],
    },
    {
        "name": "trip/c.jpg",
        "caption": "",
        "caption_by": "",
        "accepted": [],
        "rejected": [],
        "suggested": [],
    },
]


def test_csv_and_jsonl():
    rows = list(csv.DictReader(exports.to_csv(RECORDS)))
    assert rows[0]["caption"] == 'The "sea", calm'
    assert rows[0]["suggested"] == "boat" and rows[1]["tags"] == ""
    lines = [json.loads(line) for line in exports.to_jsonl(RECORDS)]
    assert lines[0]["tags"] == ["sea", "dog; cat"]
    assert lines[1]["image"] == "trip/c.jpg"


def test_no_spreadsheet_runs_what_stands_in_the_csv():
    words = {"accepted": ["=1+1", "b"], "rejected": ["-2"], "caption": "@sum(a1)"}
    (row,) = csv.DictReader(exports.to_csv([{**RECORDS[0], **words}]))
    assert (row["tags"], row["caption"]) == ("'=1+1;b", "'@sum(a1)")
    assert row["rejected"] == "-2"  # a number


def test_the_data_set_is_read_by_the_training(photographs, tmp_path):
    out = tmp_path / "data"
    for _ in range(2):  # the second replaces the first
        assert exports.write_data_set(out, photographs, RECORDS) == 1
    annotated = folder.read(
        "folder",
        "train+validation+test",
        data_dir=str(out),
        cache_dir="",
        skip_bad_images=False,
    )
    assert annotated.words == ("dog; cat", "sea") and annotated.tags.all()
    assert annotated.captions == (('The "sea", calm',),)
    assert annotated.source.read(0) == (photographs / "a.jpg").read_bytes()
    exports.write_data_set(out, photographs, [{**RECORDS[0], "caption_by": "machine"}])
    assert not (out / "captions.jsonl").exists()


def test_without_accepted_words_there_is_no_data_set(photographs, tmp_path):
    with pytest.raises(ValueError, match="accept some first"):
        exports.write_data_set(tmp_path / "data", photographs, RECORDS[1:])
