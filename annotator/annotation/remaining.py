"""What is left to do of a run that was cut off."""

import collections
from collections.abc import Callable, Iterable, Iterator
from typing import TypeVar

Item = TypeVar("Item")


def without_done(
    items: Iterable[Item],
    done: Iterable[str],
    key: Callable[[Item], str] | None = None,
) -> Iterator[Item]:
    """Leaves out what is done.

    Args:
        items: Names, or anything that has one; a name may come several times.
        done: Names that are done. While both are in the same order, as they are if no
            file came or went, neither is held in memory.
        key: Function of an item that returns its name, if it is not the name itself.

    Yields:
        `items` without as many of each name as are in `done`.
    """
    done = iter(done)
    rest: collections.Counter | None = None
    for item in items:
        name = key(item) if key else item
        if rest is None:
            first = next(done, None)
            if first == name:
                continue
            rest = collections.Counter(done if first is None else [first, *done])
        if rest[name]:
            rest[name] -= 1
        else:
            yield item
