"""Tables of the results page, in Markdown."""

import statistics
from collections.abc import Callable

from annotator.metrics import published
from recipes.measured import Measured
from recipes.row import Table

# Column -> its heading; how it is shown, `%` for fractions, else as a count.
COLUMNS = {
    "captioner": {
        **{f"bleu_{n}": f"BLEU-{n}" for n in range(1, 5)},
        "meteor": "METEOR 1.5",
        "meteor_nltk": "NLTK's",
        "cider": "CIDEr",
        "rouge_l": "ROUGE-L",
        "distinct_captions": "distinct",
    },
    "tagger": {
        "precision": "precision",
        "recall": "recall",
        "f1": "F1",
        "n_plus": "N+",
        "mean_average_precision": "mAP",
    },
}
_PUBLISHED: dict[str, Callable] = {
    "captioner": published.captioner_rows,
    "tagger": published.tagger_rows,
}
_COUNTS = ("n_plus",)
NONE = "-"
MISSING = "missing"


def markdown(table: Table, measured: dict[str, Measured]) -> str:
    """A table, and a line on what its seconds were measured on.

    Args:
        table: The table.
        measured: Name of a run -> what was measured of it; a row without is missing.
    """
    columns = COLUMNS[table.task]
    epochs = ["epochs"] if table.epochs else []
    heads = ["", *columns.values(), *epochs, "training", "an image"]
    lines = [_line(heads), _line(["---"] * len(heads))]
    for row in table.rows:
        runs = _runs(row, measured)
        shown = f"{row.label}, `{row.name}`"
        if runs:
            lines.append(_line([shown, *_cells(table, runs)]))
        else:
            lines.append(_line([shown, *[MISSING] * (len(heads) - 1)]))
        lines += _published(table, row, len(heads))
    return "\n".join([*lines, *_notes(table, measured)])


def _runs(row, measured):
    """The runs of a row, one a seed."""
    seeds = [name for name in measured if name.startswith(f"{row.name}_seed")]
    names = [row.name, *sorted(seeds)] if row.name in measured else sorted(seeds)
    return [measured[name] for name in names]


def _cells(table, runs):
    cells = [_score(name, runs) for name in COLUMNS[table.task]]
    if table.epochs:
        cells.append(", ".join(sorted({str(run.epochs) for run in runs})))
    training = [run.training for run in runs if run.training is not None]
    inference = [run.inference / run.images for run in runs if run.inference]
    return [*cells, _seconds(training), _seconds(inference)]


def _score(name, runs):
    """A score with half of its 95 % interval; of several seeds their mean."""
    values = [run.scores.get(name) for run in runs]
    known = [value for value in values if value is not None]
    if not known:
        return NONE
    digits, factor = (0, 1) if name in _COUNTS else (1, 100)
    halves = [
        (run.intervals[name][1] - run.intervals[name][0]) / 2
        for run in runs
        if name in run.intervals
    ]
    shown = f"{factor * statistics.mean(known):.{digits}f}"
    if halves:
        shown += f" ± {factor * statistics.mean(halves):.{digits}f}"
    if len(known) > 1:
        spread = factor * statistics.stdev(known)
        shown += f" ({len(known)} seeds: {spread:.{max(digits, 1)}f})"
    return shown


def _seconds(values):
    if not values:
        return NONE
    seconds = statistics.mean(values)
    if seconds < 1:
        return f"{float(f'{1000 * seconds:.2g}'):g} ms"
    if seconds < 90:
        return f"{seconds:.0f} s"
    return f"{seconds / 60:.0f} min" if seconds < 5400 else f"{seconds / 3600:.1f} h"


def _published(table, row, width):
    if not row.published:
        return []
    (dataset,) = [
        flag.partition("=")[2]
        for flag in table.arguments(row)
        if flag.startswith("--dataset=")
    ]
    systems = dict(_PUBLISHED[table.task](dataset))
    if row.published not in systems:
        raise ValueError(
            f"The row {row.name} names {row.published!r}, which is not among the "
            f"published rows of {dataset}: {', '.join(systems)}."
        )
    scores = systems[row.published]
    cells = [
        f"*{scores[name]:.{0 if name in _COUNTS else 1}f}*" if name in scores else NONE
        for name in COLUMNS[table.task]
    ]
    cells += [NONE] * (width - 1 - len(cells))
    return [_line([f"*published, official test: {row.published}*", *cells])]


def _notes(table, measured):
    processors = sorted(
        {name for row in table.rows for run in _runs(row, measured)
         for name in run.processors}
    )  # fmt: skip
    if not processors:
        return []
    return ["", f"Measured on {'; '.join(processors)}."]


def _line(cells):
    return f"| {' | '.join(cells)} |"
