"""What the report says of a tagger."""

from collections.abc import Iterator

import numpy as np

from annotator.evaluation.report.charts import reliability_chart
from annotator.evaluation.report.choice import choose
from annotator.evaluation.report.curves import read_curves
from annotator.evaluation.report.examples import gallery, picture_card, read_images
from annotator.evaluation.report.markup import Markup, join, tag
from annotator.evaluation.report.score_table import (
    percent,
    published_table,
    score_tiles,
    sentences,
)
from annotator.evaluation.report.sections import Section
from annotator.evaluation.report.training_curves import TAGGER_CHARTS, training_charts
from annotator.evaluation.report.word_table import confusion_list, word_table
from annotator.evaluation.scores import Scored, TagResults
from annotator.evaluation.unknown_words import tags_note
from annotator.metrics import published
from annotator.metrics import tags as tag_metrics
from annotator.metrics.confusions import confusions
from annotator.metrics.reliability import reliability
from annotator.metrics.tag_intervals import tag_intervals
from annotator.runs.heads import TAGGER
from annotator.runs.run import Run

_TITLES = {
    "precision": "Precision",
    "recall": "Recall",
    "f1": "F1",
    "n_plus": "N+",
    "mean_average_precision": "mAP",
    "image_precision": "Image precision",
    "image_recall": "Image recall",
}
_COUNTS = ("n_plus",)
_PUBLISHED = {name: _TITLES[name] for name in published.TAG_COLUMNS}


def tagger_sections(
    run: Run, name: str, scored: Scored, wanted: int
) -> Iterator[Section]:
    """The sections on a run's tagger.

    Args:
        run: The run.
        name: Name of the split.
        scored: What was measured on it, with the tags of each image.
        wanted: How many images are shown.

    Yields:
        The sections, in order.
    """
    results = scored.tags
    assert results is not None
    yield Section("Scores", _scores(run, name, scored.metrics, results))
    charts = training_charts(TAGGER_CHARTS, read_curves(run.files.logs(TAGGER.name)))
    if charts is not None:
        yield Section("Training", charts)
    if wanted:
        yield Section("Images", _images(run, name, results, wanted))
    if results.probabilities is not None:
        content = _calibration(run, name, results, results.probabilities)
        yield Section("Probabilities", content)
    precisions = tag_metrics.average_precisions(
        results.scores, results.true, results.known
    )
    rows = tag_metrics.per_word_table(results.predicted, results.true, results.words)
    yield Section(
        "Words",
        word_table(
            rows,
            "Support counts the images that carry the word, given those it was given "
            "to. AP, the average precision, is of the order in which the word's scores "
            "put the images. All else in percent.",
            precisions,
        ),
    )
    predicted = results.predicted & results.known
    pairs = confusions(
        predicted & ~results.true, results.true & ~predicted, results.words
    )
    rule = (
        "The image was given the first word and does not carry it; it carries the "
        "second one and was not given it."
    )
    yield Section("Confused words", confusion_list(pairs, rule))


def _scores(run, name, metrics, results):
    intervals = tag_intervals(
        results.predicted, results.true, results.scores, results.known
    )
    own = {c: metrics[c] * (1 if c in _COUNTS else 100) for c in _PUBLISHED}
    facts = [
        f"{metrics['images']:,} images, percent, with 95 % intervals, which come from "
        f"drawing the images again. Means are over {metrics['words']:,} words, those "
        "that an image carries; N+ counts those that were recalled at all; mAP is the "
        "mean of their average precisions."
    ]
    if "unknown_tags" in metrics:
        facts.append(sentences(tags_note(metrics)))
    rows = published.tagger_rows(run.config.dataset)
    return join(
        [
            score_tiles(_TITLES, metrics, intervals, _COUNTS),
            *(tag("p", fact, class_="rule") for fact in facts),
            published_table(_PUBLISHED, rows, own, name, _COUNTS),
        ]
    )


def _images(run: Run, name: str, results: TagResults, wanted: int) -> Markup:
    split = run.split(TAGGER, name)
    scores = tag_metrics.image_f1(results.predicted, results.true)
    choice = choose(scores, wanted)
    encoded = read_images(split.annotated, choice.rows)

    def card(row):
        return picture_card(
            encoded[row],
            split.annotated.image_ids[row],
            f"F1 {percent(scores[row])}",
            tag("ul", *_chips(results, row), class_="chips"),
        )

    key = tag(
        "p",
        _chip("right", "✓", "given, and right"),
        _chip("wrong", "✗", "given, and wrong"),
        _chip("lacking", "+", "not given, and carried"),
        class_="rule key",
    )
    return join([key, gallery(choice, scores, "F1", card)])


def _chips(results, row):
    """The words of an image: those it was given, the surest first; then the others."""
    given, carried = results.predicted[row], results.true[row]
    for word in np.argsort(-results.scores[row], kind="stable"):
        if given[word]:
            kind, mark = ("right", "✓") if carried[word] else ("wrong", "✗")
            sure = None
            if results.probabilities is not None:
                sure = f"{100 * results.probabilities[row, word]:.0f} %"
            yield _chip(kind, mark, results.words[word], sure, "li")
    for word in np.flatnonzero(carried & ~given):
        yield _chip("lacking", "+", results.words[word], None, "li")


def _chip(kind, mark, text, sure=None, element="span"):
    names = {"right": "right: ", "wrong": "wrong: ", "lacking": "lacking: "}
    return tag(
        element,
        tag("span", mark, aria_hidden="true", class_="mark"),
        tag("span", names[kind], class_="hidden") if element == "li" else None,
        text,
        tag("small", sure) if sure else None,
        class_=f"chip {kind}",
    )


def _calibration(run, name, results, probabilities):
    given = results.predicted & results.known
    bins = reliability(probabilities[given], results.true[given])
    everything = reliability(probabilities[results.known], results.true[results.known])
    note = (
        f"The {int(bins.counts.sum()):,} tags that were given, in bins of their "
        "probability; on the line as many are right as was said. The areas of the dots "
        "say how many they are. The expected calibration error is "
        f"{percent(bins.error)} percentage points, over all words of all images "
        f"{100 * everything.error:.2f}."
    )
    parts = [tag("p", note, class_="rule")]
    if "validation" in name.split("+") and run.config.holds_out_validation:
        parts.append(
            tag(
                "p",
                "The probabilities were fitted to these images: another split would "
                "tell how well they hold elsewhere.",
                class_="warning",
            )
        )
    chart = reliability_chart(
        "What was said to be how probable, and how much of it was right",
        bins.said,
        bins.happened,
        bins.counts,
    )
    return join([*parts, tag("figure", chart, class_="chart")])
