"""Axes of a chart: from values to places in an SVG picture, and their ticks."""

import dataclasses
import math
from collections.abc import Sequence

import numpy as np

from annotator.evaluation.report.markup import Markup, join, tag

# In the units of the picture, which are pixels where a chart has its full width.
WIDTH, HEIGHT = 420, 260
_LEFT, _TOP, _BOTTOM = 52, 26, 42
# Least distance of the labels of lines, from baseline to baseline.
_LINE = 14


def ticks(low: float, high: float, wanted: int = 5) -> list[float]:
    """Round numbers that span a range.

    Args:
        low: The least value.
        high: The greatest.
        wanted: About how many; their distance is 1, 2 or 5 times a power of ten.

    Returns:
        Ascending numbers, of which the first is at most `low` and the last at least
        `high`.
    """
    if high <= low:
        low, high = low - 0.5 * (abs(low) or 1), high + 0.5 * (abs(high) or 1)
    distance = (high - low) / wanted
    power = 10.0 ** math.floor(math.log10(distance))
    step = next(power * n for n in (1, 2, 5, 10) if power * n >= distance * 0.999)
    first, last = math.floor(low / step + 1e-9), math.ceil(high / step - 1e-9)
    return [float(f"{n * step:.12g}") for n in range(first, last + 1)]


def tick_text(value: float) -> str:
    """A tick's number as people write it: `2,000`, `0.25`, `1e-05`.

    Args:
        value: The number.
    """
    if value and abs(value) < 1e-3:
        return f"{value:g}"
    return f"{value:,.6g}".replace("-", "\u2212")


@dataclasses.dataclass(frozen=True)
class Axes:
    """The frame of a chart.

    Attributes:
        x: Ticks of the horizontal axis, whose ends are those of the axis.
        y: Ticks of the vertical axis, likewise.
        x_label: What the horizontal axis shows, and its unit.
        y_label: What the vertical axis shows, and its unit.
        right: Room for labels on the right.
    """

    x: Sequence[float]
    y: Sequence[float]
    x_label: str
    y_label: str
    right: int = 12

    def left_of(self, value: float) -> float:
        """The horizontal place of a value."""
        share = (value - self.x[0]) / (self.x[-1] - self.x[0])
        return round(_LEFT + share * (WIDTH - _LEFT - self.right), 1)

    def top_of(self, value: float) -> float:
        """The vertical place of a value, which grows downwards."""
        share = (value - self.y[0]) / (self.y[-1] - self.y[0])
        return round(HEIGHT - _BOTTOM - share * (HEIGHT - _TOP - _BOTTOM), 1)

    def points(self, x: np.ndarray, y: np.ndarray) -> str:
        """Places of some values, as the attribute `points` has them.

        Args:
            x: float `[T]`.
            y: float `[T]`.
        """
        return " ".join(
            f"{self.left_of(a):g},{self.top_of(b):g}" for a, b in zip(x, y, strict=True)
        )

    def picture(self, title: str, *parts: Markup) -> Markup:
        """The chart: frame, ticks, labels, and what is drawn into it.

        Args:
            title: What it shows, for those who do not see it.
            *parts: Elements of SVG.
        """
        right, bottom = WIDTH - self.right, HEIGHT - _BOTTOM
        lines, texts = [], []
        for value in self.y:
            top = self.top_of(value)
            lines.append(tag("path", d=f"M{_LEFT} {top:g}H{right}", class_="grid"))
            texts.append(_text(_LEFT - 7, top + 4, tick_text(value), "end"))
        for value in self.x:
            left = self.left_of(value)
            mark = f"M{left:g} {bottom}v4"
            lines.append(tag("path", d=mark, class_="axis"))
            texts.append(_text(left, bottom + 17, tick_text(value), "middle"))
        lines.append(tag("path", d=f"M{_LEFT} {bottom}H{right}", class_="axis"))
        middle = (_LEFT + right) / 2
        texts.append(_text(middle, HEIGHT - 6, self.x_label, "middle", "label"))
        texts.append(_text(4, 13, self.y_label, "start", "label"))
        return tag(
            "svg",
            join([*lines, *parts, *texts]),
            viewBox=f"0 0 {WIDTH} {HEIGHT}",
            role="img",
            aria_label=title,
        )

    def end_labels(self, labels: Sequence[tuple[str, float, str]]) -> Markup:
        """Names of lines at their right ends, moved apart where they would touch.

        Args:
            labels: `(text, value, class)` of each line.
        """
        placed: list[float] = []
        ordered = sorted(labels, key=lambda label: -label[1])
        for _, value, _ in ordered:
            least = placed[-1] + _LINE if placed else 0.0
            placed.append(max(self.top_of(value) + 4, least))
        # Those that were pushed below the frame take the others up with them.
        limit = float(HEIGHT - _BOTTOM + 4)
        for i in reversed(range(len(placed))):
            placed[i] = min(placed[i], limit)
            limit = placed[i] - _LINE
        left = WIDTH - self.right + 7
        return join(
            _text(left, top, text, "start", name)
            for top, (text, _, name) in zip(placed, ordered, strict=True)
        )


def _text(left, top, text, anchor, name=None):
    return tag(
        "text", text, x=f"{left:g}", y=f"{top:g}", text_anchor=anchor, class_=name
    )
