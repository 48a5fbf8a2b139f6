"""The rows of the results page: each is a name and the flags of `train.py`.

Flags are written out also where they are the defaults, so that a row means the same
when a default changes.
"""

from recipes import caption_rows, tag_rows
from recipes.row import Row, Table

SPLIT = "validation"
# In the order of the page.
TABLES = (
    caption_rows.SYSTEMS,
    caption_rows.FEEDBACK,
    caption_rows.PUBLISHED_TRAINING,
    tag_rows.PAPER_TAGS,
    tag_rows.TAGGERS,
    tag_rows.FINETUNED,
    caption_rows.RESNET50_CAPTIONS,
    caption_rows.BEYOND,
    tag_rows.RESNET50_TAGS,
)


def table_of(name: str) -> Table:
    """The table that a row stands in.

    Args:
        name: Name of a row.

    Raises:
        ValueError: When there is no such row.
    """
    for table in TABLES:
        if name in [row.name for row in table.rows]:
            return table
    known = ", ".join(row.name for table in TABLES for row in table.rows)
    raise ValueError(f"There is no row {name!r}. There are: {known}.")


def find(names: list[str]) -> list[tuple[Table, Row]]:
    """Rows by their names, or those of their tables.

    Args:
        names: Names of rows or tables, or `"all"`.

    Returns:
        Each row once, with its table, in the order in which they are named.

    Raises:
        ValueError: When there is no such row or table.
    """
    found = {}
    for name in names:
        tables = [table for table in TABLES if name in (table.name, "all")]
        for table in tables or [table_of(name)]:
            for row in table.rows:
                if tables or row.name == name:
                    found[row.name] = (table, row)
    return list(found.values())
