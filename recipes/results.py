"""Writes the tables of the results page from the files of runs.

    python -m recipes.results runs/recipes
    python -m recipes.results runs/recipes tags_means=/runs/of/another/place

reads the run of each row in a folder of its name (and `NAME_seed1` and so on, where
other seeds were run), keeps what was measured in `recipes/measured.json`, and writes
every table between its marks in `docs/results.md`. Rows that were never run, or whose
settings have changed since, stand there as missing. What stands outside of the marks is
written by hand and stays.
"""

import argparse
import dataclasses
import json
import pathlib
import re
import sys

from annotator import files
from recipes.measured import Measured
from recipes.row import Row, Table
from recipes.rows import TABLES, table_of
from recipes.tables import markdown

ROOT = pathlib.Path(__file__).parents[1]
PAGE = ROOT / "docs" / "results.md"
MEASURED = ROOT / "recipes" / "measured.json"
_SEED = re.compile(r"_seed(\d+)$")


def main(argv: list[str] | None = None) -> int:
    """The command; returns its exit code.

    Args:
        argv: Its arguments, by default those of the process.
    """
    parser = argparse.ArgumentParser(
        prog="python -m recipes.results",
        description=__doc__,
        formatter_class=argparse.RawDescriptionHelpFormatter,
    )
    parser.add_argument("runs", help="folder of runs")
    parser.add_argument("others", nargs="*", metavar="NAME=FOLDER", help="other runs")
    parser.add_argument("--output", default=str(PAGE), help="the page to write")
    parser.add_argument("--measured", default=str(MEASURED), help="what is kept")
    options = parser.parse_args(argv)
    measured = read(options.measured)
    try:
        found = collect(pathlib.Path(options.runs), options.others)
        measured |= found
        page = pathlib.Path(options.output)
        text = rendered(page.read_text(encoding="utf-8"), measured)
    except (ValueError, OSError) as error:
        parser.exit(1, f"error: {error}\n")
    files.write_json(
        options.measured,
        {name: dataclasses.asdict(each) for name, each in sorted(measured.items())},
    )
    files.write_text(page, text)
    missing = [row.name for row in every_row() if row.name not in current(measured)]
    print(f"{len(found)} runs read; {page} is written")
    if missing:
        print("missing:", *missing)
    return 0


def every_row() -> list[Row]:
    """All rows, in the order of the page."""
    return [row for table in TABLES for row in table.rows]


def read(path: str | pathlib.Path) -> dict[str, Measured]:
    """What was kept: name of a run -> what was measured of it.

    Args:
        path: The file; there need not be one.
    """
    path = pathlib.Path(path)
    if not path.is_file():
        return {}
    values = json.loads(path.read_text(encoding="utf-8"))
    return {name: Measured(**value) for name, value in values.items()}


def collect(runs: pathlib.Path, others: list[str]) -> dict[str, Measured]:
    """Reads the runs that are finished.

    Args:
        runs: A folder with folders named after rows.
        others: `NAME=FOLDER`, runs of other places, which must be finished.

    Returns:
        Name of a run -> what was measured of it.

    Raises:
        FileNotFoundError: When there is no such folder, or another run has no scores.
        ValueError: When a run is not of its row, or there is no such row.
    """
    if not runs.is_dir():
        raise FileNotFoundError(f"There is no folder of runs {runs}.")
    folders = {}
    for row in every_row():
        for folder in [runs / row.name, *sorted(runs.glob(f"{row.name}_seed*"))]:
            if (folder / "metrics").is_dir() and row_name(folder.name) == row.name:
                folders[folder.name] = folder
    for other in others:
        name, equals, folder = other.partition("=")
        if not equals:
            raise ValueError(f"{other!r} is no NAME=FOLDER.")
        table_of(row_name(name))
        if not (pathlib.Path(folder) / "metrics").is_dir():
            raise FileNotFoundError(f"{folder} holds no run with scores.")
        folders[name] = pathlib.Path(folder)
    found = {}
    for name, folder in folders.items():
        table = table_of(row_name(name))
        (row,) = [row for row in table.rows if row.name == row_name(name)]
        found[name] = Measured.of_run(folder, table, row)
    return found


def row_name(run: str) -> str:
    """The row that a run is of.

    Args:
        run: Name of the run, a row's, behind which `_seed1` may stand.
    """
    return _SEED.sub("", run)


def current(measured: dict[str, Measured]) -> dict[str, Measured]:
    """Those that were measured with the settings that their rows have today.

    Args:
        measured: Name of a run -> what was measured of it.
    """
    known = {row.name: (table, row) for table in TABLES for row in table.rows}
    return {
        name: each
        for name, each in measured.items()
        if row_name(name) in known and each.is_of(*known[row_name(name)])
    }


def rendered(page: str, measured: dict[str, Measured]) -> str:
    """A page with its tables written anew.

    Args:
        page: The page, with a pair of marks for each table.
        measured: Name of a run -> what was measured of it.

    Raises:
        ValueError: When a table has no pair of marks.
    """
    measured = current(measured)
    for table in TABLES:
        begin, end = marks(table)
        if page.count(begin) != 1 or page.count(end) != 1:
            raise ValueError(
                f"The page needs the lines {begin!r} and {end!r} once each, around the "
                f"table {table.name!r}."
            )
        before, _, rest = page.partition(begin)
        _, _, after = rest.partition(end)
        page = f"{before}{begin}\n\n{markdown(table, measured)}\n\n{end}{after}"
    return page


def marks(table: Table) -> tuple[str, str]:
    """The lines between which a table stands.

    Args:
        table: The table.
    """
    return (
        f"<!-- {table.name}: written by python -m recipes.results -->",
        f"<!-- end of {table.name} -->",
    )


if __name__ == "__main__":
    sys.exit(main())
