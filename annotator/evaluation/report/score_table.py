"""Scores with their intervals, and the published rows beside them."""

from collections.abc import Iterable, Mapping, Sequence

from annotator.evaluation.report.markup import Markup, tag

TEST = "test"


def score_tiles(
    labels: Mapping[str, str],
    scores: Mapping,
    intervals: Mapping[str, Sequence[float]],
    counts: Iterable[str] = (),
) -> Markup:
    """The scores, large, each above its interval.

    Args:
        labels: From the names of scores to their titles, in order.
        scores: Fractions; those that are missing or `None` are left out.
        intervals: `(low, high)` of some of them.
        counts: Names of those that are no fractions.
    """
    tiles = []
    for name, label in labels.items():
        if scores.get(name) is None:
            continue
        value = f"{scores[name]:,}" if name in counts else percent(scores[name])
        below = None
        if name in intervals:
            low, high = intervals[name]
            below = tag("dd", f"{percent(low)} to {percent(high)}", class_="interval")
        value = tag("dd", value, class_="value")
        tiles.append(tag("div", tag("dt", label), value, below))
    return tag("dl", *tiles, class_="tiles")


def published_table(
    columns: Mapping[str, str],
    rows: Sequence[tuple[str, Mapping[str, float]]],
    own: Mapping[str, float],
    split: str,
    counts: Iterable[str] = (),
) -> Markup | None:
    """The published rows, and this run's below them, with the split of each.

    Args:
        columns: From names of scores to titles.
        rows: Name of a system, and its scores in percent.
        own: This run's, likewise.
        split: The split that they are of.
        counts: Names of scores that are whole numbers.

    Returns:
        A table with a note; `None` without a row.
    """
    if not rows:
        return None

    def shown(value, whole):
        return "–" if value is None else f"{value:.{0 if whole else 1}f}"

    def row(name, values, where, own=False):
        cells = [tag("td", shown(values.get(c), c in counts)) for c in columns]
        first = tag("th", name, " ", tag("small", where), scope="row")
        return tag("tr", first, *cells, class_="own" if own else None)

    titles = ["System and split", *columns.values()]
    head = [tag("th", title, scope="col") for title in titles]
    body = [row(name, values, TEST) for name, values in rows]
    body.append(row("This run", own, split, own=True))
    note = None
    if split != TEST:
        note = tag(
            "p",
            "Not the same images: ",
            tag("strong", f"this run is scored on {split}, the published rows on test"),
            ". Their distance says roughly where the run stands, and no more.",
            class_="warning",
        )
    table = tag(
        "table",
        tag("thead", tag("tr", *head)),
        tag("tbody", *body),
        class_="published numbers",
    )
    return tag("div", note, table)


def percent(fraction: float) -> str:
    """A fraction in percent, as scores are written: 0.2034 is 20.3.

    Args:
        fraction: The fraction.
    """
    return f"{100 * fraction:.1f}"


def sentences(note: str) -> str:
    """The lines of a note as sentences.

    Args:
        note: Lines, as stand below a table in the console.
    """
    lines = note.strip().splitlines()
    return " ".join(f"{line[0].upper()}{line[1:]}." for line in lines)
