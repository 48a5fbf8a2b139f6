"""Recipes: `train.py` knows the rows' flags, and the page says what was measured."""

import os
import subprocess
import sys

import pytest

from annotator.metrics import published
from recipes import results
from recipes.measured import settings_of
from recipes.results import MEASURED, PAGE, ROOT
from recipes.row import Row, Table
from recipes.rows import TABLES, find, table_of
from recipes.tables import markdown

ROWS = [(table, row) for table in TABLES for row in table.rows]


def test_names_are_each_one_rows():
    names = [row.name for _, row in ROWS] + [table.name for table in TABLES] + ["all"]
    assert len(set(names)) == len(names)
    assert not [name for name in names if results.row_name(name) != name]


def test_train_knows_the_flags():
    """In this process: absl parses them, and the settings go together."""
    for table, row in ROWS:
        settings = settings_of(table, row)
        flags = table.arguments(row)
        assert {"dataset", "seed"} - {"seed"} <= set(settings), row.name
        assert len({flag.partition("=")[0] for flag in flags}) == len(flags), row.name
        if table.epochs:
            assert settings[table.epochs] >= 1, row.name


def test_a_command_is_one_that_train_takes():
    """As it is typed, once: `train.py` answers before it imports TensorFlow."""
    ((table, row),) = find(["captions_k2"])
    result = subprocess.run(
        [sys.executable, "train.py", *table.arguments(row), "--only_check_args"],
        cwd=ROOT,
        env={**os.environ},
        capture_output=True,
        text=True,
        timeout=280,
    )
    assert not result.returncode, result.stderr


def test_all_systems_of_both_papers_have_a_row():
    named = {row.published for _, row in ROWS}
    systems = published.captioner_rows("flickr8k") + published.tagger_rows("corel5k")
    # The features of one, and the network of the other, are not told.
    unknown = {"JEC, hand features", "deep learning of another paper"}
    assert {system for system, _ in systems} - unknown <= named


def test_the_page_says_what_was_measured():
    """Nobody types into its tables: they are written again, and are the same."""
    page = PAGE.read_text(encoding="utf-8")
    assert results.rendered(page, results.read(MEASURED)) == page


def test_rows_are_found_by_name_and_by_table():
    names = [row.name for _, row in find(["taggers", "captions_nic", "tags_jec"])]
    assert names == [*(row.name for row in table_of("tags_jec").rows), "captions_nic"]
    assert len(find(["all"])) == len(ROWS)
    with pytest.raises(ValueError, match="There is no row 'tags_nobody'. There are: "):
        find(["tags_nobody"])


def test_a_published_row_that_there_is_not_is_refused():
    table = TABLES[0]
    rows = (Row("a", "b", "", "Nobody's system"),)
    broken = Table("t", "captioner", table.flags, rows)
    with pytest.raises(ValueError, match="Nobody's system"):
        markdown(broken, {})
