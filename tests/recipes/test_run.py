"""The driver of rows: skips, goes on, and does not stop at failures."""

import json
import pathlib
import shlex

import pytest

from recipes import run as driver
from recipes.rows import find

# Stands for `train.py`: writes scores, unless its row is told to fail.
PROGRAM = """
import json, os, pathlib, sys
flags = dict(flag[2:].partition("=")[::2] for flag in sys.argv[1:])
folder = pathlib.Path(flags["workdir"])
with open(os.environ["SEEN"], "a") as seen:
    print(json.dumps(flags), file=seen)
if folder.name in os.environ["FAILING"].split():
    sys.exit("error: no weights here")
(folder / "metrics").mkdir(parents=True)
(folder / "metrics" / "validation.json").write_text("{}")
"""
ROWS = ("tags_bow", "tags_jec", "tags_vgg16")


@pytest.fixture
def project(tmp_path, monkeypatch):
    """A folder with such a `train.py`; returns what it was called with."""
    (tmp_path / "train.py").write_text(PROGRAM)
    seen = tmp_path / "seen"
    monkeypatch.setattr(driver, "ROOT", tmp_path)
    monkeypatch.setenv("SEEN", str(seen))
    monkeypatch.setenv("FAILING", "")

    def calls():
        lines = seen.read_text().splitlines() if seen.is_file() else []
        seen.unlink(missing_ok=True)
        return [json.loads(line) for line in lines]

    return calls


def command(tmp_path, *arguments):
    return driver.main([*ROWS, f"--runs={tmp_path / 'runs'}", *arguments])


def test_a_failure_is_told_and_the_next_row_begins(
    project, tmp_path, monkeypatch, capsys
):
    monkeypatch.setenv("FAILING", "tags_jec")
    assert command(tmp_path) == 1
    assert [pathlib.Path(call["workdir"]).name for call in project()] == list(ROWS)
    out = capsys.readouterr().out
    assert "failed: error: no weights here (see" in out and "tags_jec.log" in out
    assert "1 failed, and go on with the same command: tags_jec" in out
    assert "2 of 3: tags_jec" in out and "left in all" in out
    monkeypatch.setenv("FAILING", "")
    assert command(tmp_path) == 0  # the two that are finished are skipped
    assert [pathlib.Path(call["workdir"]).name for call in project()] == ["tags_jec"]
    assert "3 rows, of which 2 are finished" in capsys.readouterr().out
    log = (tmp_path / "runs" / "tags_jec.log").read_text()
    assert log.count("$ ") == 2 and "error: no weights here" in log


def test_budgets_seeds_and_further_flags(project, tmp_path):
    assert command(tmp_path, "--epochs=2", "--seed=7", "--", "--cache_dir=/f") == 0
    bow, _, vgg16 = project()
    for call in (bow, vgg16):
        assert call["seed"] == "7" and call["cache_dir"] == "/f"
        assert call["eval_split"] == "validation"
        assert call["workdir"].endswith("_seed7")
    assert vgg16["tag_epochs"] == "2"
    assert "epochs" not in bow  # no row of its table has any


def test_interrupted_it_stops(project, tmp_path, monkeypatch, capsys):
    monkeypatch.setattr(driver, "_train", lambda job: 130)
    assert command(tmp_path) == 130
    assert "interrupted: the same command goes on" in capsys.readouterr().out


def test_the_list_is_of_commands(project, tmp_path, capsys):
    assert command(tmp_path, "--list") == 0
    lines = capsys.readouterr().out.splitlines()
    assert len(lines) == len(ROWS) and not project()
    for line, (table, row) in zip(lines, find(list(ROWS)), strict=True):
        python, script, *arguments = shlex.split(line)
        assert script == "train.py"
        assert arguments[: len(table.arguments(row))] == table.arguments(row)


def test_weights_of_the_environment(project, tmp_path, monkeypatch, capsys):
    ((table, row),) = find(["tags_alexnet"])
    monkeypatch.delenv("ALEXNET_WEIGHTS", raising=False)
    assert driver.main(["tags_alexnet", "tags_bow", f"--runs={tmp_path}"]) == 1
    assert "failed: set $ALEXNET_WEIGHTS to a file" in capsys.readouterr().out
    assert len(project()) == 1  # the row after it
    monkeypatch.setenv("ALEXNET_WEIGHTS", "/weights/alexnet.safetensors")
    job = driver.job_of(table, row, tmp_path)
    assert "--backbone_weights=/weights/alexnet.safetensors" in job.arguments


def test_rows_that_go_on_from_another_row(tmp_path, monkeypatch):
    for name, flag in (
        ("captions_twelve", "init_from"),
        ("captions_beams", "ensemble"),
    ):
        ((table, row),) = find([name])
        job = driver.job_of(table, row, tmp_path)
        of = {"init_from": "vgg16_captions_k2", "ensemble": "captions_twelve"}[flag]
        assert f"--{flag}={tmp_path / of}" in job.arguments and not job.lacks
    # What the environment says stays as it is.
    monkeypatch.setenv("ALEXNET_WEIGHTS", "@home/a@b")
    job = driver.job_of(*find(["tags_alexnet"])[0], tmp_path)
    assert "--backbone_weights=@home/a@b" in job.arguments


@pytest.mark.parametrize(
    ("arguments", "message"),
    [
        (["tags_nobody"], "There is no row 'tags_nobody'"),
        (["all", "--epochs=0"], "--epochs must be 1 or more, got 0"),
    ],
)
def test_wrong_commands(arguments, message, capsys):
    with pytest.raises(SystemExit):
        driver.main(arguments)
    assert message in capsys.readouterr().err
