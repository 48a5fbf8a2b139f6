"""The curves of a training, in charts that share an axis where they share a unit."""

import dataclasses
from collections.abc import Mapping

from annotator.evaluation.report.charts import Line, line_chart
from annotator.evaluation.report.curves import Curve, smoothed
from annotator.evaluation.report.markup import Markup, tag

_STEPS = "training step"


@dataclasses.dataclass(frozen=True)
class Chart:
    """A chart and what it shows.

    Attributes:
        title: Its title.
        names: From names of curves to the labels of their lines.
        unit: What the vertical axis shows, and its unit.
        factor: By which values are multiplied.
        smooth: Values that a mean is taken of, which the line shows; they stand faint
            behind it.
    """

    title: str
    names: Mapping[str, str]
    unit: str
    factor: float = 1.0
    smooth: int = 0


_RATE = Chart("Learning rate", {"learning_rate": "rate"}, "learning rate")
CAPTIONER_CHARTS = (
    Chart("Loss", {"loss": "loss"}, "cross entropy (nats a word)", smooth=9),
    Chart("Reward", {"reward": "reward"}, "CIDEr-D of drawn captions", smooth=9),
    Chart(
        "Validation",
        {
            "validation/bleu_1": "BLEU-1",
            "validation/bleu_4": "BLEU-4",
            "validation/cider": "CIDEr",
            "validation/rouge_l": "ROUGE-L",
        },
        "score on the validation images (%)",
        factor=100,
    ),
    Chart("Validation loss", {"validation/loss": "loss"}, "nats a word"),
    Chart(
        "Variety",
        {"validation/distinct_captions": "distinct"},
        "captions that are distinct (%)",
        factor=100,
    ),
    _RATE,
)
TAGGER_CHARTS = (
    Chart("Loss", {"loss": "loss"}, "cross entropy (nats an image)", smooth=9),
    Chart(
        "Validation",
        {
            "validation/precision": "precision",
            "validation/recall": "recall",
            "validation/f1": "F1",
        },
        "score on the validation images (%)",
        factor=100,
    ),
    Chart("Words recalled", {"validation/n_plus": "N+"}, "N+ (words)"),
    _RATE,
)


def training_charts(
    charts: tuple[Chart, ...], curves: Mapping[str, Curve]
) -> Markup | None:
    """Draws the curves that a log holds.

    Args:
        charts: What may be drawn.
        curves: By name.

    Returns:
        The charts of which there is a curve with two values at least; `None` if there
        is none.
    """
    figures = []
    for chart in charts:
        lines = [
            _line(label, curves[name], chart)
            for name, label in chart.names.items()
            if name in curves and len(curves[name].steps) > 1
        ]
        if not lines:
            continue
        title = f"{chart.title}: {chart.unit} by {_STEPS}"
        picture = line_chart(title, lines, _STEPS, chart.unit, zero=chart.factor == 100)
        caption = tag("figcaption", chart.title)
        figures.append(tag("figure", caption, picture, class_="chart"))
    return tag("div", *figures, class_="charts") if figures else None


def _line(label, curve, chart):
    values = chart.factor * curve.values
    if not chart.smooth or len(values) < 3 * chart.smooth:
        return Line(label, curve.steps, values, dots=len(values) <= 60)
    mean = smoothed(values, chart.smooth)
    return Line(label, curve.steps, mean, faint=values)
