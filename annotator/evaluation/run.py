"""The evaluation of a run: scores on a split, and what was measured written down."""

import os
from typing import Any

import annotator.layers  # noqa: F401  (what .keras files are made of)
from annotator import files
from annotator.evaluation.pictures import draw_attention, draw_contact_sheet
from annotator.evaluation.plan import FeatureStages, evaluation_plan
from annotator.evaluation.report.page import write_report
from annotator.evaluation.scores import SCORES, Scored
from annotator.evaluation.tables import learned_note
from annotator.runs.heads import CAPTIONER, Task, tasks_of
from annotator.runs.processor import processor
from annotator.runs.run import Run
from annotator.terminal.progress import Progress


def evaluate(
    workdir: str | os.PathLike,
    split: str = "validation",
    compare: bool = False,
    shown: int = 0,
    attention: int = 0,
    task: str = "all",
    progress: Progress | None = None,
    html: bool = False,
    html_images: int = 24,
    **overrides: Any,
) -> tuple[dict, str]:
    """Scores the models of a run's folder on one split; see `evaluate_run`.

    Args:
        workdir: Folder of a run.
        split: As in `evaluate_run`.
        compare: As in `evaluate_run`.
        shown: As in `evaluate_run`.
        attention: As in `evaluate_run`.
        task: As in `evaluate_run`.
        progress: What is told of how far it is; by default a bar a stage.
        html: As in `evaluate_run`.
        html_images: As in `evaluate_run`.
        **overrides: As of `Run.open`; `dataset` names another data set to score on.

    Returns:
        `(metrics, table)`, as of `evaluate_run`.

    Raises:
        FileNotFoundError: If there is no run or no trained model.
        ValueError: As of `evaluate_run`.
    """
    run = Run.open(workdir, **overrides)
    if progress is not None:
        run.progress = progress
        tasks = [each for each in tasks_of(task) if run.is_trained(each)]
        if tasks:
            progress.expect(evaluation_plan(run, split, tasks, FeatureStages(run)))
    return evaluate_run(run, split, compare, shown, attention, task, html, html_images)


def evaluate_run(
    run: Run,
    split: str = "validation",
    compare: bool = False,
    shown: int = 0,
    attention: int = 0,
    task: str = "all",
    html: bool = False,
    html_images: int = 24,
) -> tuple[dict, str]:
    """Scores the models of a run on one split.

    Writes `metrics/<split>.json` (fractions) and `<split>_seconds.json` (what the
    models took); for tags `<split>_words.csv`, a row a word; for captions
    `<split>_captions.json`, in COCO's result format (where ids are numbers, as COCO's
    are; others stay text). Where the run was opened with another
    data set, `<dataset>_` stands before the split, and what the models could not know
    of its words is counted.

    Args:
        run: The run.
        split: A split of its data set.
        compare: Whether the published rows for the data set join the tables.
        shown: Number of images, spread over the split, to show with what was said of
            them in `pictures/<split>.png`.
        attention: Number of images, spread over the split, to draw with where the
            captioner looked in `pictures/<split>_attention/`, a PNG file each.
        task: Name of the task whose model is scored, or `"all"`.
        html: Whether all that was measured is written as one page,
            `reports/<split>.html`.
        html_images: Number of images that the page shows of each task: the best, the
            middling and the worst.

    Returns:
        `(metrics, table)`: the content of the JSON file, and a text in percent.

    Raises:
        FileNotFoundError: If the run has no trained model.
        ValueError: If attention is asked for where there is none, the split has no tags
            or captions to compare with, or it has tags that the tagger does not know;
            of another data set, none that it knows.
    """
    trained = [each for each in tasks_of(task) if run.is_trained(each)]
    if not trained:
        model = "model" if task == "all" else task
        raise FileNotFoundError(f"{run.files.folder} holds no trained {model} yet.")
    if attention and not (
        CAPTIONER in trained and run.captioner().decoder.attending_layers
    ):
        raise ValueError(
            f"{run.files.folder} holds no captioner whose attention could be drawn."
        )
    metrics: dict = {}
    seconds: dict[str, float] = {}
    tables: list[str] = []
    texts: dict[str, list] = {}
    measured: dict[Task, Scored] = {}
    for each in trained:
        measured[each] = scored = SCORES[each](run, split, compare)
        # Of the two, one may leave out images that the other scores.
        seconds[each.name] = scored.seconds
        counts = {f"{each.name}_images": scored.metrics["images"]}
        metrics |= counts | {k: v for k, v in scored.metrics.items() if k != "images"}
        heading, note = f"{run.config.dataset} {split}", ""
        if run.learned_dataset is None:
            note = learned_note(split, run.config.train_split)
        else:
            heading += f" (learned: {run.learned_dataset})"
        tables.append(f"{heading}, {scored.table}{note}")
        annotated = run.split(each, split).annotated
        for image_id, line in zip(annotated.image_ids, scored.lines, strict=True):
            # Captions stand above tags.
            texts.setdefault(image_id, []).insert(0, line)
    files.write_json(run.files.metrics(run.label(split)), metrics)
    files.write_json(
        run.files.seconds(run.label(split)), {**seconds, "processor": processor()}
    )
    if attention:
        draw_attention(run, split, attention)
    if shown:
        draw_contact_sheet(run, annotated, texts, shown)
    if html:
        print(f"report: {write_report(run, split, measured, html_images)}")
    return metrics, "\n\n".join(tables)
