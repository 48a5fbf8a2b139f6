"""What a row of the results page is, and a table: names, and flags of `train.py`."""

import dataclasses


@dataclasses.dataclass(frozen=True)
class Row:
    """A row of a table.

    Attributes:
        name: What the commands call it; the folder of its run.
        label: What the page calls it.
        flags: Those of `train.py` that it has besides the table's. `$NAME` stands for a
            variable of the environment, `@NAME` for the folder of another row's run.
        published: The system of `annotator.metrics.published` whose row stands below.
        minutes: About how long it takes on two slow cores, its features at hand.
    """

    name: str
    label: str
    flags: str
    published: str = ""
    minutes: float = 1.0


@dataclasses.dataclass(frozen=True)
class Table:
    """A table of the results page.

    Attributes:
        name: What the commands and the page's marks call it.
        task: The task of its runs.
        flags: Those that all its rows have.
        rows: Its rows.
        epochs: The flag that says how many epochs a row is trained; empty if none does.
    """

    name: str
    task: str
    flags: str
    rows: tuple[Row, ...]
    epochs: str = ""

    def arguments(self, row: Row) -> list[str]:
        """The arguments of `train.py` for a row, without those of places.

        A flag that the row has takes the place of the table's.
        """
        own = row.flags.split()
        named = {_name(flag) for flag in own}
        shared = [flag for flag in self.flags.split() if _name(flag) not in named]
        return [f"--task={self.task}", *shared, *own]


def _name(flag):
    return flag.partition("=")[0]
