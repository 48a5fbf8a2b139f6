"""The results page, from made-up folders of runs."""

import dataclasses
import json

import pytest

from annotator.config import Config
from recipes import results, rows, tables
from recipes.measured import Measured, settings_of
from recipes.row import Row, Table

PAPER = "VLAD and mean vectors (the paper)"
TAGS = Table(
    "tags",
    "tagger",
    "--dataset=corel5k --backbone_weights=imagenet --seed=0",
    (
        Row("tags_one", "the first", "--tagger=means --components=64", PAPER),
        Row("tags_two", "the second", "--tagger=jec"),
    ),
)
CAPTIONS = Table(
    "captions",
    "captioner",
    "--dataset=flickr8k --epochs=6",
    (Row("captions_one", "soft", "--decoder=soft", "Soft attention"),),
    epochs="epochs",
)
PAGE = """# Results

Written by hand, as is 99.9.

{}

More by hand.

{}
"""


@pytest.fixture(autouse=True)
def two_tables(monkeypatch):
    for module in (results, rows):
        monkeypatch.setattr(module, "TABLES", (TAGS, CAPTIONS))


@pytest.fixture
def page(tmp_path):
    path = tmp_path / "results.md"
    path.write_text(
        PAGE.format(*("\n".join(results.marks(t)) for t in (TAGS, CAPTIONS)))
    )
    return path


def write_run(folder, table, row, metrics, **settings):
    """A finished run's files, as `train.py` leaves them."""
    known = {**settings_of(table, row), "task": table.task, **settings}
    values = Config.for_dataset(**known).to_json()
    for path, content in {
        "config.json": values,
        "metrics/validation.json": metrics,
        "metrics/validation_seconds.json": {table.task: 25.0, "processor": "2 cores"},
        f"{table.task}/training.json": {"seconds": 300.0, "processors": ["2 cores"]},
    }.items():
        (folder / path).parent.mkdir(parents=True, exist_ok=True)
        (folder / path).write_text(json.dumps(content))


def tag_metrics(f1=0.3171, intervals=True):
    metrics = {"precision": 0.259, "recall": 0.408, "f1": f1, "n_plus": 165}
    metrics |= {"mean_average_precision": 0.3, "tagger_images": 500, "words": 217}
    if intervals:
        metrics["tag_intervals"] = {"f1": [f1 - 0.02, f1 + 0.02], "n_plus": [155, 175]}
    return metrics


def caption_metrics(bleu_4=0.2021):
    scores = {f"bleu_{n}": 0.6 for n in range(1, 4)} | {"bleu_4": bleu_4}
    scores |= {"meteor": 0.19, "meteor_nltk": None, "cider": 0.467, "rouge_l": 0.45}
    scores |= {"distinct_captions": 0.7, "captioner_images": 1000}
    return scores | {"intervals": {"bleu_4": [0.19, 0.214], "cider": [0.43, 0.50]}}


def command(tmp_path, page, *others):
    arguments = [f"--output={page}", f"--measured={tmp_path / 'measured.json'}"]
    return results.main([str(tmp_path / "runs"), *others, *arguments])


def cells(page, name):
    """The cells of a row's line."""
    (line,) = [line for line in page.read_text().splitlines() if f"`{name}`" in line]
    return [cell.strip() for cell in line.strip("|").split("|")]


def test_scores_intervals_seconds_and_the_published_row(tmp_path, page, capsys):
    write_run(tmp_path / "runs/tags_one", TAGS, TAGS.rows[0], tag_metrics())
    write_run(
        tmp_path / "runs/captions_one", CAPTIONS, CAPTIONS.rows[0], caption_metrics()
    )
    assert command(tmp_path, page) == 0
    assert cells(page, "tags_one") == [
        "the first, `tags_one`",
        *("25.9", "40.8", "31.7 ± 2.0", "165 ± 10", "30.0", "5 min", "50 ms"),
    ]
    assert cells(page, "captions_one") == [
        "soft, `captions_one`",
        *("60.0", "60.0", "60.0", "20.2 ± 1.2", "19.0", "-", "46.7 ± 3.5", "45.0"),
        *("70.0", "6", "5 min", "25 ms"),
    ]
    text = page.read_text()
    assert (
        f"| *published, official test: {PAPER}* | *26.9* | *41.4* | *32.6* | *161* |"
        " - | - | - |" in text
    )
    assert "| *67.0* | *44.8* | *29.9* | *19.5* | *18.9* | - |" in text
    assert "Measured on 2 cores." in text
    assert capsys.readouterr().out.endswith("missing: tags_two\n")


def test_what_was_not_run_is_missing_and_no_number(tmp_path, page):
    (tmp_path / "runs" / "tags_one" / "metrics").mkdir(parents=True)  # being scored
    (tmp_path / "runs" / "tags_two" / "tagger").mkdir(parents=True)  # being trained
    (tmp_path / "runs" / "tags_one" / "metrics").rmdir()
    assert command(tmp_path, page) == 0
    for name, width in (("tags_one", 7), ("tags_two", 7), ("captions_one", 12)):
        assert cells(page, name)[1:] == ["missing"] * width


def test_what_is_written_by_hand_stays_and_what_was_measured_is_kept(tmp_path, page):
    folder = tmp_path / "runs" / "tags_one"
    write_run(folder, TAGS, TAGS.rows[0], tag_metrics())
    command(tmp_path, page)
    first = page.read_text()
    page.write_text(
        first.replace("More by hand.", "Other words.").replace("31.7", "99.7")
    )
    (folder / "metrics" / "validation.json").unlink()
    (folder / "metrics" / "validation_seconds.json").unlink()
    (folder / "metrics").rmdir()  # its folder was lost; the numbers are kept
    command(tmp_path, page)
    assert page.read_text() == first.replace("More by hand.", "Other words.")
    assert "as is 99.9." in page.read_text()


def test_a_row_with_other_settings_than_were_measured_is_missing(
    tmp_path, page, monkeypatch
):
    write_run(tmp_path / "runs/tags_one", TAGS, TAGS.rows[0], tag_metrics())
    command(tmp_path, page)
    row = dataclasses.replace(TAGS.rows[0], flags="--tagger=means --components=32")
    changed = dataclasses.replace(TAGS, rows=(row,))
    monkeypatch.setattr(results, "TABLES", (changed, CAPTIONS))
    measured = results.read(tmp_path / "measured.json")
    assert "missing" in results.rendered(page.read_text(), measured)
    with pytest.raises(ValueError, match=r"--components=64, and the row tags_one has"):
        Measured.of_run(tmp_path / "runs/tags_one", changed, row)


def test_other_budgets_and_seeds_are_shown(tmp_path, page):
    row, scores = CAPTIONS.rows[0], (0.20, 0.21, 0.22)
    for seed, bleu_4 in enumerate(scores):
        name = f"captions_one_seed{seed}" if seed else "captions_one"
        metrics = caption_metrics(bleu_4)
        write_run(tmp_path / "runs" / name, CAPTIONS, row, metrics, seed=seed, epochs=3)
    command(tmp_path, page)
    shown = cells(page, "captions_one")
    assert shown[4] == "21.0 ± 1.2 (3 seeds: 1.0)"
    assert shown[10] == "3"  # epochs


def test_runs_of_other_places_and_of_before_seconds_were_kept(tmp_path, page):
    (tmp_path / "runs").mkdir()
    other = tmp_path / "elsewhere"
    weights = {"backbone_weights": "/downloads/vgg16_notop.h5"}
    write_run(other, TAGS, TAGS.rows[1], tag_metrics(intervals=False), **weights)
    (other / "metrics" / "validation_seconds.json").unlink()
    (other / "tagger" / "training.json").unlink()
    assert command(tmp_path, page, f"tags_two={other}") == 0
    assert cells(page, "tags_two")[3:] == ["31.7", "165", "30.0", "-", "-"]


@pytest.mark.parametrize(
    ("others", "message"),
    [
        (["tags_two"], "'tags_two' is no NAME=FOLDER"),
        (["tags_six=/"], "There is no row 'tags_six'"),
        (["tags_two=/nowhere"], "/nowhere holds no run with scores"),
    ],
)
def test_what_cannot_be_read(others, message, tmp_path, page, capsys):
    (tmp_path / "runs").mkdir()
    before = page.read_text()
    with pytest.raises(SystemExit):
        command(tmp_path, page, *others)
    assert message in capsys.readouterr().err
    assert page.read_text() == before


def test_a_table_without_marks_is_named(page):
    text = page.read_text().replace("<!-- end of captions -->", "")
    with pytest.raises(ValueError, match="around the table 'captions'"):
        results.rendered(text, {})


@pytest.mark.parametrize(
    ("seconds", "shown"),
    [([], "-"), ([0.0123], "12 ms"), ([0.168], "170 ms"), ([45], "45 s"),
     ([600], "10 min"), ([7000, 7400], "2.0 h")],
)  # fmt: skip
def test_durations(seconds, shown):
    assert tables._seconds(seconds) == shown
