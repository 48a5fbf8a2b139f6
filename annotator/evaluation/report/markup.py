"""HTML and SVG as a tree of calls, in which every text is escaped."""

import html
import re
from collections.abc import Iterable
from typing import Any

# Elements without content, which have no end tag.
_VOID = frozenset({"br", "col", "hr", "img", "input", "link", "meta"})
# HTML has no way to write these; a browser would show what it likes.
_UNPRINTABLE = re.compile("[\x00-\x08\x0b\x0c\x0e-\x1f\x7f\ud800-\udfff\ufffe\uffff]")


class Markup(str):
    """Text that is markup already, and is not escaped again."""


def escape(value: Any) -> Markup:
    """Makes a text fit to stand in markup, as content or as an attribute's value.

    Args:
        value: The text; `Markup` stays, all else is turned into a string.

    Returns:
        The markup, without characters that no page can hold.
    """
    if isinstance(value, Markup):
        return value
    return Markup(html.escape(_UNPRINTABLE.sub("\ufffd", str(value))))


def join(parts: Iterable[Any]) -> Markup:
    """Puts parts one behind the other.

    Args:
        parts: Texts, `Markup`, or `None` for nothing.

    Returns:
        The markup.
    """
    return Markup("".join(escape(part) for part in parts if part is not None))


def tag(name: str, /, *children: Any, **attributes: Any) -> Markup:
    """An element with its content.

    Args:
        name: Its name.
        *children: Texts, which are escaped, `Markup`, or `None` for nothing.
        **attributes: Values by name. `_` stands for `-`, one at the end is dropped
            (`class_`); `True` is an attribute without a value; `None` and `False`
            leave it out.

    Returns:
        The markup.

    Example:

    ```python
    tag("p", "5 < 6", class_="note")  # <p class="note">5 &lt; 6</p>
    ```
    """
    written = [name]
    for key, value in attributes.items():
        if value is None or value is False:
            continue
        key = key.rstrip("_").replace("_", "-")
        written.append(key if value is True else f'{key}="{escape(value)}"')
    start = Markup(f"<{' '.join(written)}>")
    return start if name in _VOID else join([start, *children, Markup(f"</{name}>")])


def table(
    header: Iterable[Any], rows: Iterable[Iterable[Any]], **attributes: Any
) -> Markup:
    """A table whose first column names the rows.

    Args:
        header: Titles of the columns.
        rows: Cells of each row.
        **attributes: As of `tag`.

    Returns:
        The markup.
    """
    head = [tag("th", title, scope="col") for title in header]
    body = [
        tag("tr", tag("th", first, scope="row"), *(tag("td", cell) for cell in rest))
        for first, *rest in rows
    ]
    return tag(
        "table", tag("thead", tag("tr", *head)), tag("tbody", *body), **attributes
    )
