"""Records as CSV: read back as they were written, whatever is in them."""

import os

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
