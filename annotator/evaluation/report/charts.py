"""Charts: lines over steps, a histogram, and how far probabilities are right."""

import dataclasses
from collections.abc import Sequence

import numpy as np

from annotator.evaluation.report.axes import HEIGHT, Axes, ticks
from annotator.evaluation.report.markup import Markup, tag

# More points than a chart has pixels say nothing.
_POINTS = 400


@dataclasses.dataclass(frozen=True)
class Line:
    """A line of a chart.

    Attributes:
        label: What stands at its end.
        x: float `[T]`, ascending.
        y: float `[T]`.
        faint: float `[T]`, drawn behind it: what it is the mean of.
        dots: Whether each value is marked.
    """

    label: str
    x: np.ndarray
    y: np.ndarray
    faint: np.ndarray | None = None
    dots: bool = False


def line_chart(
    title: str, lines: Sequence[Line], x_label: str, y_label: str, zero: bool = False
) -> Markup:
    """Lines over a common axis.

    Args:
        title: What it shows, for those who do not see it.
        lines: The lines.
        x_label: What the horizontal axis shows, and its unit.
        y_label: What the vertical axis shows, and its unit.
        zero: Whether the vertical axis begins at 0.
    """
    drawn = [y for line in lines for y in (line.y, line.faint) if y is not None]
    low = 0.0 if zero else min(float(y.min()) for y in drawn)
    across = np.concatenate([line.x for line in lines])
    # The axis ends where the lines do.
    ends = float(across.min()), float(across.max())
    inner = [x for x in ticks(*ends, wanted=4) if ends[0] <= x <= ends[1]]
    named = len(lines) > 1
    axes = Axes(
        _with_ends(inner, *ends),
        ticks(low, max(float(y.max()) for y in drawn)),
        x_label,
        y_label,
        right=78 if named else 14,
    )
    parts = []
    for number, line in enumerate(lines):
        name = f"line s{number}"
        if line.faint is not None:
            points = axes.points(*_thinned(line.x, line.faint))
            parts.append(tag("polyline", points=points, class_=f"{name} faint"))
        points = axes.points(*_thinned(line.x, line.y))
        parts.append(tag("polyline", points=points, class_=name))
        if line.dots:
            parts += [
                tag("circle", cx=axes.left_of(x), cy=axes.top_of(y), r=3, class_=name)
                for x, y in zip(line.x, line.y, strict=True)
            ]
    if named:
        labels = [
            (line.label, float(line.y[-1]), f"name s{number}")
            for number, line in enumerate(lines)
        ]
        parts.append(axes.end_labels(labels))
    return axes.picture(title, *parts)


def histogram(
    title: str, values: np.ndarray, x_label: str, y_label: str, marked: np.ndarray
) -> Markup:
    """How many values lie where, with ticks below for some of them.

    Args:
        title: What it shows, for those who do not see it.
        values: float `[N]`.
        x_label: What the values are, and their unit.
        y_label: What is counted.
        marked: float `[M]`, the values that get a tick.
    """
    edges = np.array(ticks(float(values.min()), float(values.max()), wanted=24))
    counts, _ = np.histogram(values, edges)
    across = ticks(float(edges[0]), float(edges[-1]))
    # Of less than five there would be ticks between whole numbers.
    axes = Axes(across, ticks(0, max(float(counts.max()), 5)), x_label, y_label)
    base = axes.top_of(0)
    parts = []
    for count, low, high in zip(counts, edges, edges[1:], strict=False):
        if not count:
            continue
        left, top = axes.left_of(low), axes.top_of(count)
        width = axes.left_of(high) - left - 1
        size = {"width": f"{width:g}", "height": f"{base - top:g}"}
        parts.append(tag("rect", x=f"{left:g}", y=f"{top:g}", class_="bar", **size))
    marks = "".join(f"M{axes.left_of(v):g} {base:g}v-9" for v in marked)
    if marks:
        parts.append(tag("path", d=marks, class_="mark"))
    return axes.picture(title, *parts)


def reliability_chart(
    title: str, said: np.ndarray, happened: np.ndarray, counts: np.ndarray
) -> Markup:
    """What share of the tags was right where a probability was said.

    Args:
        title: What it shows, for those who do not see it.
        said: float `[K]`, mean probability of each bin, a fraction.
        happened: float `[K]`, the share of right ones among them.
        counts: int `[K]`, how many they are: the areas of the dots follow.
    """
    grid = [0.0, 20.0, 40.0, 60.0, 80.0, 100.0]
    axes = Axes(grid, grid, "probability that was said (%)", "of these right (%)")
    diagonal = axes.points(np.array([0, 100]), np.array([0, 100]))
    parts = [tag("polyline", points=diagonal, class_="ideal")]
    radii = np.sqrt(counts / counts.max()) * HEIGHT / 22
    for x, y, radius in zip(100 * said, 100 * happened, radii, strict=True):
        place = {"cx": axes.left_of(x), "cy": axes.top_of(y)}
        parts.append(tag("circle", r=f"{max(radius, 2.5):.1f}", class_="dot", **place))
    return axes.picture(title, *parts)


def _with_ends(inner, low, high):
    """Ticks that begin and end with the ends of the axis, not too near to others."""
    if low == high:
        return [low, low + 1]
    apart = (high - low) / 12
    inner = [x for x in inner if x - low > apart and high - x > apart]
    return [low, *inner, high]


def _thinned(x, y):
    """No more points than can be seen, the last among them."""
    if len(x) <= _POINTS:
        return x, y
    rows = np.unique(np.linspace(0, len(x) - 1, _POINTS).astype(int))
    return x[rows], y[rows]
