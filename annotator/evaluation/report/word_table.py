"""The table of words, which sorts, and the words that are confused."""

from collections.abc import Mapping, Sequence

import numpy as np

from annotator.evaluation.report.markup import Markup, join, tag
from annotator.evaluation.report.score_table import percent
from annotator.metrics.confusions import Confusion

_MOST = 500


def word_table(
    rows: Sequence[Mapping], note: str, average_precisions: np.ndarray | None = None
) -> Markup:
    """A row a word, the most frequent first.

    Args:
        rows: Dictionaries with `word`, the counts `predicted` and `true`, and the
            fractions `precision`, `recall` and `f1`.
        note: What the columns say.
        average_precisions: float, one a row, NaN where there is none.
    """
    ranked = average_precisions is not None
    titles = ["Word", "Precision", "Recall", "F1", *(["AP"] if ranked else [])]
    titles += ["Support", "Given"]
    order = sorted(
        range(len(rows)), key=lambda i: (-rows[i]["true"], -rows[i]["predicted"])
    )
    body = []
    for i in order[:_MOST]:
        row = rows[i]
        cells = [_share(row["precision"], row["predicted"])]
        cells += [_share(row["recall"], row["true"]), _share(row["f1"], row["true"])]
        if average_precisions is not None:
            value = average_precisions[i]
            cells.append(_share(value, not np.isnan(value)))
        cells += [tag("td", f"{row[name]:,}") for name in ("true", "predicted")]
        body.append(tag("tr", tag("th", row["word"], scope="row"), *cells))
    head = []
    for title in titles:
        sort = "descending" if title == "Support" else None
        button = tag("button", title, type="button")
        head.append(tag("th", button, scope="col", aria_sort=sort))
    if len(rows) > _MOST:
        note += f" The {_MOST} most frequent of {len(rows):,} words."
    find = tag("input", type="search", autocomplete="off", spellcheck="false")
    bar = tag("label", "Find a word ", find, class_="find", hidden=True)
    more = tag("button", "Show all", type="button", class_="more", hidden=True)
    table = tag(
        "table",
        tag("thead", tag("tr", *head)),
        tag("tbody", *body),
        class_="words numbers",
    )
    return tag(
        "div", tag("p", note, class_="rule"), bar, table, more, class_="sortable"
    )


def confusion_list(pairs: Sequence[Confusion], rule: str) -> Markup:
    """The words that are said instead of others.

    Args:
        pairs: The pairs, in order.
        rule: What counts as a mistake.
    """
    rule += (
        " A pair is listed by how many images it is of beyond those that chance would "
        "bring, if the two mistakes had nothing to do with each other."
    )
    if not pairs:
        return join(
            [
                tag("p", rule, class_="rule"),
                tag("p", "No two mistakes come together more often than by chance."),
            ]
        )
    items = []
    for pair in pairs:
        count = f"{pair.images} images, {pair.expected:.1f} by chance"
        items.append(
            tag(
                "li",
                tag("b", pair.said),
                tag("span", " instead of "),
                tag("b", pair.missed),
                tag("small", count),
            )
        )
    return join([tag("p", rule, class_="rule"), tag("ol", *items, class_="confused")])


def _share(fraction, known):
    """A cell in percent, with a bar behind it."""
    if not known:
        return tag("td", "–")
    return tag("td", percent(fraction), style=f"--share:{100 * fraction:.0f}%")
