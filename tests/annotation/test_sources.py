"""Images as files or as rows of a table: found, cut into pieces, read."""

import json
import os

import pyarrow as pa
import pyarrow.parquet as pq
import pytest

from annotator.annotation import table_source
from annotator.annotation.run import annotate
from annotator.annotation.sources import (
    FileSource,
    TableSource,
    find_source,
)


@pytest.fixture
def table(tmp_path):
    """A folder of two Parquet files: 50 rows in five row groups, and 3 rows."""
    folder = tmp_path / "table"
    folder.mkdir()
    for file, rows in (("a", range(50)), ("b", range(50, 53))):
        columns = {
            "other": list(rows),
            "content": [b"%d" % i for i in rows],
            "image": [f"é{i}" for i in rows],
        }
        pq.write_table(pa.table(columns), folder / f"{file}.parquet", row_group_size=10)
    (folder / "_SUCCESS").touch()
    return folder


def expected(rows):
    return [(f"é{i}", b"%d" % i) for i in rows]


def read(source, done=(), size=4):
    # As a worker has it: through JSON.
    pieces = json.loads(json.dumps(list(source.pieces(done, size))))
    return list(source.read(pieces))


def test_a_table_is_known_by_its_name_or_by_what_is_in_it(table, tmp_path):
    assert isinstance(find_source(table), TableSource)
    assert isinstance(find_source(table / "a.parquet"), TableSource)
    (table / "photo.jpg").touch()
    assert isinstance(find_source(table), FileSource)
    named = tmp_path / "named.parquet"
    table.rename(named)
    assert isinstance(find_source(f"{named}/"), TableSource)
    (tmp_path / "empty").mkdir()
    for path in (tmp_path, tmp_path / "empty", tmp_path / "no.parquet"):
        assert isinstance(find_source(path), FileSource)


def test_rows_come_in_order_whatever_the_pieces(table):
    source = find_source(table)
    assert source.count() == 53
    for size in (1, 4, 10, 100):
        assert read(source, size=size) == expected(range(53))
    assert [len(p["rows"]) for p in source.pieces((), 4)] == [4, 4, 2] * 5 + [3]
    # A long row group is not read from its start for every few rows.
    pq.write_table(pq.read_table(table), table / "a.parquet")
    (table / "b.parquet").unlink()
    assert [len(p["rows"]) for p in source.pieces((), 1)] == [4] * 13 + [1]


def test_what_is_done_is_left_out(table, tmp_path):
    source = find_source(table)
    assert read(source, [f"é{i}" for i in range(13)]) == expected(range(13, 53))
    odd = [i for i in range(53) if i % 2]
    assert read(source, [f"é{i}" for i in range(0, 53, 2)]) == expected(odd)
    assert read(source, [f"é{i}" for i in range(53)]) == []
    names = [tmp_path / f"{i}.png" for i in range(7)]
    for i, name in enumerate(names):
        name.write_bytes(b"%d" % i)
    left = read(FileSource(tmp_path), [os.fspath(names[0])])
    assert left == [(os.fspath(n), b"%d" % i) for i, n in enumerate(names)][1:]


def test_files_keep_names_that_are_no_text(tmp_path):
    name = os.fsdecode(os.fsencode(tmp_path) + b"/\xff.png")
    with open(name, "wb") as file:
        file.write(b"x")
    assert read(FileSource(tmp_path)) == [(name, b"x")]


def test_rows_without_bytes_are_one_bad_image(tmp_path, monkeypatch):
    path = tmp_path / "t.parquet"
    monkeypatch.setattr(table_source, "MAX_BYTES", 3)
    table = {"image": ["a", "b", "c"], "content": [b"abc", None, b"abcd"]}
    pq.write_table(pa.table(table), path)
    contents = dict(read(find_source(path)))
    assert contents["a"] == b"abc"
    assert str(contents["b"]) == "The table holds no bytes of it."
    assert "more than 3 bytes is refused; it has 4" in str(contents["c"])


@pytest.mark.parametrize(
    ("columns", "message"),
    [
        ({"image": ["a"]}, "t.parquet has no column content: .* It has image"),
        ({"content": [b"a"], "name": ["a"]}, "has no column image: .* content, name"),
        ({"image": ["a"], "content": ["a"]}, "content must be binary, it is string"),
        ({"image": [1], "content": [b"a"]}, "image must be string, it is int64"),
    ],
)
def test_tables_of_something_else(columns, message, tmp_path):
    pq.write_table(pa.table(columns), tmp_path / "t.parquet")
    with pytest.raises(ValueError, match=message):
        find_source(tmp_path / "t.parquet").count()


def test_damaged_tables_are_named(table):
    path = table / "a.parquet"
    pieces = list(TableSource(path).pieces((), 4))
    content = bytearray(path.read_bytes())
    content[4:600] = bytes(596)
    path.write_bytes(content)
    with pytest.raises(ValueError, match="a.parquet: row group 0: "):
        list(TableSource(path).read(pieces))
    path.write_bytes(b"text")
    with pytest.raises(ValueError, match="a.parquet is no Parquet file"):
        find_source(table).count()
    nameless = {"image": ["a", None], "content": [b"", b""]}
    pq.write_table(pa.table(nameless), path)
    with pytest.raises(ValueError, match="a.parquet: row 1 of row group 0 has no name"):
        list(find_source(table).pieces((), 4))


def test_tables_have_no_sidecars(stand_in, table, tmp_path):
    stand_in(None)
    with pytest.raises(ValueError, match="--sidecars need image files"):
        annotate(["m"], table, tmp_path / "o.jsonl", sidecars="txt")
