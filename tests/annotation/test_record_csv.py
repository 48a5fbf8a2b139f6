"""Records as CSV: read back as they were written, whatever is in them."""

import csv
import os

import pytest

from annotator.annotation import record_csv


def test_names_and_errors_come_back(tmp_path):
    strange = os.fsdecode(b'\xff, "a";\n\xc3\xa9.png')
    rows = [
        {"image": strange, "tags": "a;b", "error": None},
        {"image": "b.png", "tags": "t" * 200_000, "error": 'no, it is "bad"'},
    ]
    record_csv.write(tmp_path / "o.csv", iter(rows))
    content = (tmp_path / "o.csv").read_bytes()
    assert content.startswith(b"image,tags,error\r\n") and b"\xff, " in content
    expected = [(row["image"], row["error"] or "") for row in rows]
    assert list(record_csv.errors(tmp_path / "o.csv")) == expected


@pytest.mark.parametrize(
    "text",
    ["=1+1", "+1+1", "-1+1", "@SUM(1)", "\t=1", "\r=1", "\uff1d1", "'=1", "''=1"],
)
def test_a_spreadsheet_runs_nothing(text, tmp_path):
    path = tmp_path / "o.csv"
    row = {"image": text, "tags": f"{text};b", "tag_scores": "-1.5;-2e-05", "error": ""}
    for formulas in (False, True):
        record_csv.write(path, [row], formulas)
        with open(path, newline="") as file:
            (written,) = csv.DictReader(file)
        mark = "" if formulas else "'"
        assert written["image"] == mark + text
        assert written["tags"] == f"{mark}{text};b"
        assert written["tag_scores"] == "-1.5;-2e-05"
        assert list(record_csv.errors(path, formulas)) == [(text, "")]


def test_other_text_and_numbers_are_as_they_were(tmp_path):
    row = {"image": "'a.png", "caption": "it's = @", "caption_score": -1.5, "error": ""}
    record_csv.write(tmp_path / "o.csv", [row])
    with open(tmp_path / "o.csv", newline="") as file:
        assert list(csv.DictReader(file)) == [{**row, "caption_score": "-1.5"}]
