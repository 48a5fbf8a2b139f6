"""The page of the report: its head, its sections, and its file."""

import base64
import datetime
import hashlib
import importlib.resources
import pathlib
from collections.abc import Callable, Iterator, Mapping

from annotator import files
from annotator.config.version import VERSION
from annotator.evaluation.report.captions import captioner_sections
from annotator.evaluation.report.markup import Markup, join, tag
from annotator.evaluation.report.score_table import sentences
from annotator.evaluation.report.sections import Section
from annotator.evaluation.report.settings import settings_list
from annotator.evaluation.report.tags import tagger_sections
from annotator.evaluation.scores import Scored
from annotator.evaluation.tables import learned_note
from annotator.runs.heads import CAPTIONER, TAGGER, Task
from annotator.runs.run import Run

SECTIONS: dict[Task, Callable[[Run, str, Scored, int], Iterator[Section]]] = {
    CAPTIONER: captioner_sections,
    TAGGER: tagger_sections,
}
_TITLES = {CAPTIONER: "Captions", TAGGER: "Tags"}


def write_report(
    run: Run, split: str, scored: Mapping[Task, Scored], images: int = 24
) -> pathlib.Path:
    """Writes what was measured of a run as one HTML file, which needs no other.

    Args:
        run: The run.
        split: Name of the split.
        scored: What was measured on it, by task.
        images: How many images are shown of each task: the best, the middling and the
            worst by their scores.

    Returns:
        Path of the file, which is there whole or not at all.
    """
    path = run.files.report(run.label(split))
    files.write_text(path, report_page(run, split, scored, images))
    return path


def report_page(
    run: Run, split: str, scored: Mapping[Task, Scored], images: int
) -> str:
    """The text of the report; see `write_report`.

    Args:
        run: As of `write_report`.
        split: As of `write_report`.
        scored: As of `write_report`.
        images: As of `write_report`.
    """
    parts: list[Markup] = []
    contents: list[Markup] = []
    for task, sections in SECTIONS.items():
        if task not in scored:
            continue
        name = _TITLES[task]
        parts.append(tag("h2", name, id=task.name))
        contents.append(tag("a", name, href=f"#{task.name}", class_="part"))
        for section in sections(run, split, scored[task], images):
            link = f"{task.name}-{section.title.lower().replace(' ', '-')}"
            contents.append(tag("a", section.title, href=f"#{link}"))
            title = tag("h3", section.title, id=f"{link}-title")
            parts.append(
                tag(
                    "section",
                    title,
                    section.content,
                    id=link,
                    aria_labelledby=f"{task.name} {link}-title",
                )
            )
    parts += [tag("h2", "Settings", id="settings"), settings_list(run.config)]
    contents.append(tag("a", "Settings", href="#settings", class_="part"))
    head = _head(run, split, scored)
    nav = tag("nav", *contents, aria_label="Contents")
    main = tag("main", *parts)
    return _document(run.files.folder.absolute().name, join([head, nav, main]))


def _head(run, split, scored):
    config = run.config
    today = datetime.date.today()
    count = max(each.metrics["images"] for each in scored.values())
    facts = [
        f"{config.dataset}, {split} split",
        f"{count:,} images",
        config.backbone,
        f"{today.day} {today:%B %Y}",
    ]
    notes = []
    if run.learned_dataset is not None:
        notes.append(f"The run learned from another data set, {run.learned_dataset}.")
    learned = learned_note(split, config.train_split)
    if learned and run.learned_dataset is None:
        notes.append(sentences(learned))
    return tag(
        "header",
        tag("p", "annotator report", class_="over"),
        tag("h1", run.files.folder.absolute().name),
        tag("p", *(tag("span", fact) for fact in facts), class_="facts"),
        *(tag("p", note, class_="warning") for note in notes),
    )


def _document(title: str, content: Markup) -> str:
    style, script = (
        _static(name).replace("</", "<\\/") if name.endswith("js") else _static(name)
        for name in ("report.css", "report.js")
    )
    digest = base64.b64encode(hashlib.sha256(script.encode()).digest()).decode()
    # Whatever a name or a caption may hold: nothing is loaded, and no script of its
    # own runs.
    policy = (
        "default-src 'none'; img-src data:; style-src 'unsafe-inline'; "
        f"script-src 'sha256-{digest}'; base-uri 'none'; form-action 'none'"
    )
    head = [
        tag("meta", charset="utf-8"),
        tag("meta", http_equiv="Content-Security-Policy", content=policy),
        tag("meta", name="viewport", content="width=device-width, initial-scale=1"),
        tag("meta", name="color-scheme", content="light dark"),
        tag("meta", name="generator", content=f"annotator {VERSION}"),
        tag("title", f"{title} – annotator report"),
        tag("style", Markup(style)),
    ]
    foot = tag("footer", f"Written by annotator {VERSION}.")
    body = [content, foot, tag("script", Markup(script))]
    page = tag("html", tag("head", *head), tag("body", *body), lang="en")
    return f"<!doctype html>\n{page}\n"


def _static(name: str) -> str:
    folder = importlib.resources.files("annotator.evaluation.report")
    return (folder / "static" / name).read_text(encoding="utf-8")
