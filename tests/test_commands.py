"""Commands: how they end, and `train.py` and `evaluate.py` as typed."""

import csv
import json
import os
import pathlib
import re
import subprocess
import sys

import pytest
from PIL import Image

from annotator.config import commands
from annotator.training import command as train_module

ROOT = pathlib.Path(__file__).parent.parent


def run(*command, modules=None):
    """Runs a program of the project; `modules` is a folder that shadows others."""
    hidden = ("ANNOTATOR_DATA", "TF_CPP_MIN_LOG_LEVEL")
    environment = {k: v for k, v in os.environ.items() if k not in hidden}
    if modules:
        environment["PYTHONPATH"] = str(modules)
    program, *arguments = map(str, command)
    return subprocess.run(
        [sys.executable, ROOT / program, *arguments],
        env=environment,
        capture_output=True,
        text=True,
        timeout=280,
    )


def command_that(outcome):
    def run(values):
        if isinstance(outcome, BaseException):
            raise outcome
        return outcome

    return commands.Command("A command.", lambda parser: None, run, 3, "it goes on")


@pytest.mark.parametrize(
    ("outcome", "code", "message"),
    [
        (None, None, ""),
        (1, 1, ""),
        (ValueError("wrong"), 3, "error: wrong\n(with --verbosity=1: where it"),
        (OSError("no room"), 3, "error: no room\n(with --verbosity=1"),
        (FloatingPointError("NaN"), 3, "error: NaN\n(with --verbosity=1"),
        (commands.UsageError("these do not go together"), 3, "error: these do not"),
        (KeyboardInterrupt(), 130, "\nit goes on"),
    ],
)
def test_exit_codes_of_commands(outcome, code, message, capsys):
    with pytest.raises(SystemExit) as caught:
        command_that(outcome).main(["program"])
    assert caught.value.code == code
    captured = capsys.readouterr()
    assert message in captured.err and "Traceback" not in captured.err
    assert bool(message) or not captured.err


def test_the_verbosity_says_where_an_error_came_from(tmp_path):
    arguments = ["--epochs=0", f"--workdir={tmp_path}"]
    assert "Traceback" not in run("train.py", *arguments).stderr
    stderr = run("train.py", "--verbosity=1", *arguments).stderr
    assert "Traceback" in stderr and "error: --epochs=0 learns no captions" in stderr


def test_help_whose_reader_goes_away():
    command = f"{sys.executable} {ROOT / 'train.py'} --help | head -1"
    result = subprocess.run(
        ["sh", "-c", command], capture_output=True, text=True, timeout=60
    )
    assert result.stdout.startswith("Trains") and not result.stderr


def test_the_long_help_has_the_flags_of_absl():
    assert "--[no]alsologtostderr" in run("evaluate.py", "--helpfull").stdout
    assert "alsologtostderr" not in run("evaluate.py", "-h").stdout


@pytest.fixture(scope="module")
def no_tensorflow(tmp_path_factory):
    """A folder whose `tensorflow` and `keras` fail to import."""
    folder = tmp_path_factory.mktemp("modules")
    for name in ("tensorflow", "keras"):
        (folder / f"{name}.py").write_text("raise ImportError('a slow import')\n")
    return folder


@pytest.mark.parametrize(
    ("command", "message"),
    [
        (["train.py", "--help"], "--backbone_weights: imagenet, random or a file"),
        (["evaluate.py", "--help"], "--workdir: The run's folder"),
        (["train.py", "--color=red"], "Unknown command line flag 'color'"),
        (["train.py", "--tagger=svm"], "one of <means|jec|2pknn|mbrm|finetuned>"),
        (["train.py", "--precision=half"], "one of <auto|float32|bfloat16>"),
        (["train.py", "--seed=one"], "--seed=one"),
        (["train.py", "corel5k"], "Unexpected arguments: ['corel5k']"),
        (["train.py", "--scales=64,big"], "--scales needs sides in pixels, got 64,big"),
        (["train.py", "--vlad=none,l2"], "or none alone; got none,l2"),
        (["evaluate.py"], "--workdir must have a value"),
        (["evaluate.py", "--workdir=w", "--pictures=-3"], "--pictures=-3"),
        (["evaluate.py", "--workdir=w", "--splitt=test"], "'splitt'"),
        (["evaluate.py", "--workdir=w", "--dataset=shape"], "Did you mean shapes?"),
        (["evaluate.py", "--workdir=w"], "error: w holds no run"),
        (["train.py", "-h"], "--backbone_weights: imagenet, random or a file"),
        (["train.py", "--epoch=1"], "Did you mean --epochs?"),
        (["train.py", "--backbone=vgg17"], "Did you mean vgg1"),
        (["train.py", "--dataset=flickr_8k"], "Did you mean flickr8k?"),
        (
            ["train.py", "--epochs=0"],
            "error: --epochs=0 learns no captions",
        ),
    ],
)
def test_help_and_wrong_flags_do_not_wait_for_tensorflow(
    command, message, no_tensorflow
):
    result = run(*command, modules=no_tensorflow)
    assert result.returncode == 1  # absl exits with 1 after --help as well
    assert message in result.stdout + result.stderr
    assert "a slow import" not in result.stderr
    assert "Traceback" not in result.stderr


def test_right_flags_do_import_tensorflow(no_tensorflow):
    """What the test above relies on: the shadowing module is found."""
    result = run("train.py", modules=no_tensorflow)
    assert result.returncode == 1 and "a slow import" in result.stderr


@pytest.fixture(scope="module")
def train_command(image_folder, tmp_path_factory):
    folder = tmp_path_factory.mktemp("command")
    return [
        "train.py",
        "--task=tagger",
        "--dataset=folder",
        f"--data_dir={image_folder}",
        f"--cache_dir={folder / 'cache'}",
        f"--workdir={folder / 'run'}",
        "--backbone_weights=random",
        "--tap=block3_conv2",
        "--precision=float32",
        "--scales=16,32",
        "--aspect=center_crop",
        "--resize_method=bicubic",
        "--batch_size=8",
        "--components=8",
        "--codebook=4",
        "--vlad=none",
        "--top_k=2",
    ]


@pytest.fixture(scope="module")
def trained(train_command):
    """`(workdir, result)` of a training that was typed."""
    result = run(*train_command)
    assert result.returncode == 0, result.stderr
    return pathlib.Path(flag(train_command, "workdir")), result


def flag(command, name):
    (value,) = [c.partition("=")[2] for c in command if c.startswith(f"--{name}=")]
    return value


def test_training_prints_scores_and_what_it_exported(trained):
    workdir, result = trained
    metrics = json.loads((workdir / "metrics" / "validation.json").read_text())
    assert f"{100 * metrics['f1']:.2f}" in result.stdout
    exported = result.stdout.split("exported:")[1].split()
    assert exported and all(pathlib.Path(path).exists() for path in exported)


def test_the_terminal_gets_a_line_on_the_machine_and_one_for_each_stage(trained):
    machine, *stages = trained[1].stderr.splitlines()
    assert machine.startswith("TensorFlow 2.") and machine.endswith(" float32")
    assert all(" left] " in line for line in stages)
    names = [line.partition("left] ")[2] for line in stages]
    # Where a stage takes more than a minute there is a line on how far it is.
    assert [name for name in names if not re.search(r", \w+ \d+/\d+$", name)] == [
        *("features of folder train",) * 2,  # two views
        *("sampling descriptors of images", "fitting projection and codebook"),
        *("encoding images", "fitting the scores of tags"),
        *("features of folder validation",) * 2,
        *("tagging folder validation", "exporting the tagger"),
        "tagging folder validation",
    ]


def test_flags_become_the_settings_of_the_run(trained):
    config = json.loads((trained[0] / "config.json").read_text())
    expected = {"scales": [16, 32], "vlad": [], "components": 8, "seed": 0}
    expected |= {"aspect": "center_crop", "resize_method": "bicubic"}
    assert {name: config[name] for name in expected} == expected


def test_evaluating_prints_a_table_in_percent_and_writes_fractions(trained):
    workdir, _ = trained
    flags = ["--split=test", "--compare", "--pictures=2"]
    result = run("evaluate.py", f"--workdir={workdir}", *flags)
    assert result.returncode == 0, result.stderr
    metrics = json.loads((workdir / "metrics" / "test.json").read_text())
    assert metrics["tagger_images"] == 6 and 0 < metrics["precision"] <= 1
    (row,) = [line for line in result.stdout.splitlines() if "this run" in line]
    names = ("precision", "recall", "f1")
    assert row.split()[-4:] == [
        *(f"{100 * metrics[name]:.2f}" for name in names),
        str(metrics["n_plus"]),
    ]
    with open(workdir / "metrics" / "test_words.csv", newline="") as file:
        assert [row["word"] for row in csv.DictReader(file)] == ["blue", "green", "red"]
    with Image.open(workdir / "pictures" / "test.png") as sheet:
        # Two images of at most 224 pixels beside each other, with 18 around each.
        assert sheet.width == 2 * 224 + 3 * 18


@pytest.mark.parametrize(
    ("change", "message"),
    [
        ("--dataset=cifar", "Unknown data set 'cifar'; known: shapes, corel5k"),
        ("--data_dir=nowhere", "/nowhere for 'folder'; pass --data_dir"),
        ("--backbone_weights=no.h5", "/no.h5; --backbone_weights takes"),
    ],
)
def test_mistakes_are_answered_in_a_line(
    change, message, train_command, tmp_path, capsys
):
    """In this process, which has TensorFlow already."""
    with pytest.raises(SystemExit) as caught:
        train_module.main([*train_command, f"--workdir={tmp_path}", change])
    assert caught.value.code == 1
    lines = capsys.readouterr().err.splitlines()
    assert not [line for line in lines if "Traceback" in line]
    (line,) = [line for line in lines if line.startswith("error: ")]
    assert message in line


def test_evaluating_what_was_not_trained(tmp_path):
    result = run("evaluate.py", f"--workdir={tmp_path}")
    assert result.returncode == 1 and "Traceback" not in result.stderr
    assert f"error: {tmp_path} holds no run" in result.stderr
