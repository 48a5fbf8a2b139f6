"""Charts: ticks, places and points that are computed by hand."""

import re

import numpy as np
import pytest
import tensorflow as tf

from annotator.evaluation.report.axes import HEIGHT, WIDTH, Axes, tick_text, ticks
from annotator.evaluation.report.charts import (
    Line,
    histogram,
    line_chart,
    reliability_chart,
)
from annotator.evaluation.report.curves import Curve, read_curves, smoothed
from annotator.evaluation.report.training_curves import (
    CAPTIONER_CHARTS,
    training_charts,
)


@pytest.mark.parametrize(
    "low, high, wanted, expected",
    [
        (0, 1, 5, [0, 0.2, 0.4, 0.6, 0.8, 1]),
        (0.3, 9.1, 5, [0, 2, 4, 6, 8, 10]),
        (20, 2250, 4, [0, 1000, 2000, 3000]),
        (0, 1e-4, 5, [0, 2e-5, 4e-5, 6e-5, 8e-5, 1e-4]),
        (2, 2, 2, [1, 2, 3]),
        (0, 0, 2, [-0.5, 0, 0.5]),
        (-3, -1, 2, [-3, -2, -1]),
    ],
)
def test_ticks_are_round_and_span_the_range(low, high, wanted, expected):
    assert ticks(low, high, wanted) == expected


@pytest.mark.parametrize(
    "value, expected",
    [(2000, "2,000"), (0.25, "0.25"), (0, "0"), (2e-5, "2e-05"), (-3, "\u22123")],
)
def test_ticks_as_people_write_them(value, expected):
    assert tick_text(value) == expected


def test_places_by_hand():
    axes = Axes([0, 100], [0, 50], "x", "y", right=20)
    # From 52 to 400 across, from 218 up to 26.
    assert (WIDTH, HEIGHT) == (420, 260)
    assert [axes.left_of(x) for x in (0, 25, 100)] == [52, 139, 400]
    assert [axes.top_of(y) for y in (0, 12.5, 50)] == [218, 170, 26]
    assert axes.points(np.array([0, 25]), np.array([50, 12.5])) == "52,26 139,170"


def test_lines_have_their_points_and_labels():
    steps = np.array([10, 20, 30])
    chart = line_chart(
        "two lines",
        [Line("a", steps, np.array([0.0, 5, 10])), Line("b", steps, np.zeros(3))],
        "step",
        "percent",
        zero=True,
    )
    # With labels the frame ends at 342; the axis runs from 10 to 30, and from 0 to 10.
    points = re.findall('points="([^"]*)"', chart)
    assert points == ["52,218 197,122 342,26", "52,218 197,218 342,218"]
    assert 'aria-label="two lines"' in chart and 'role="img"' in chart
    for text in (">a<", ">b<", ">step<", ">percent<", ">10<", ">20<", ">30<"):
        assert text in chart


def test_labels_that_would_touch_are_moved_apart():
    axes = Axes([0, 1], [0, 10], "x", "y", right=80)
    names = [("low", 0.0, "c"), ("a", 0.1, "c"), ("b", 0.2, "c")]
    labels = axes.end_labels(names)
    tops = [float(top) for top in re.findall(' y="([^"]*)"', labels)]
    assert re.findall(">([^<]+)</text>", labels) == ["b", "a", "low"]
    assert np.all(np.diff(tops) >= 14) and max(tops) <= 222


def test_bars_count_and_marked_values_are_marked():
    values = np.array([0.0, 0.1, 0.1, 24.0])
    chart = histogram("how many", values, "score", "images", np.array([24.0]))
    bars = re.findall(r'<rect x="([\d.]+)" y="([\d.]+)"', chart)
    # Bins of 1 from 0 to 24; three values and one on an axis to 5, and of 25.
    assert [float(y) for _, y in bars] == [102.8, 179.6]
    assert "M393.8 218v-9" in chart
    flat = histogram("how many", np.zeros(3), "score", "images", np.zeros(0))
    assert flat.count("<rect") == 1 and "mark" not in flat


def test_dots_of_probabilities():
    said, happened = np.array([0.0, 0.5]), np.array([0.0, 1.0])
    chart = reliability_chart("sure", said, happened, np.array([1, 100]))
    dots = re.findall(r'<circle r="([\d.]+)" class="dot" cx="(\w+).0" cy="(\w+)', chart)
    assert dots == [("2.5", "52", "218"), ("11.8", "230", "26")]


def test_means_of_neighbors_are_not_shifted():
    straight = np.arange(7.0)
    np.testing.assert_allclose(smoothed(straight, 5), straight)
    np.testing.assert_allclose(smoothed(np.array([0.0, 3, 0, 0]), 3), [0, 1, 1, 0])


@pytest.fixture
def log(tmp_path):
    """Of a training that took steps 2 and 3 twice."""
    for values in ({1: 4.0, 2: 3.0, 3: float("nan")}, {2: 2.5, 3: 2.0}):
        with tf.summary.create_file_writer(str(tmp_path)).as_default():
            for step, value in values.items():
                tf.summary.scalar("loss", value, step)
            tf.summary.text("validation/captions", "a dog", 3)
    return tmp_path


def test_curves_are_read_from_a_log(log):
    curves = read_curves(log)
    assert list(curves) == ["loss"]  # a text is none
    assert curves["loss"].steps.tolist() == [1, 2, 3]
    assert curves["loss"].values.tolist() == [4.0, 2.5, 2.0]
    assert read_curves(log / "missing") == {}


def test_charts_are_drawn_of_the_curves_there_are(log):
    charts = training_charts(CAPTIONER_CHARTS, read_curves(log))
    assert charts.count("<svg") == 1 and ">Loss<" in charts
    # 4.0, 2.5 and 2.0 on an axis from 2.0 to 4.0.
    assert 'points="52,26 229,170 406,218"' in charts
    one = Curve("loss", np.array([1]), np.array([4.0]))
    assert training_charts(CAPTIONER_CHARTS, {"loss": one}) is None
