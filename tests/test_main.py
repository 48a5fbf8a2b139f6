"""The console command `annotator`: it lists its commands and runs them."""

import os
import pathlib
import subprocess
import sys

import pytest

from annotator import __main__ as main
from annotator import __version__

ROOT = pathlib.Path(__file__).parent.parent


@pytest.fixture
def console(tmp_path):
    """Runs `annotator` outside the checkout, where TensorFlow cannot be imported."""
    for name in ("tensorflow", "keras", "uvicorn"):
        (tmp_path / f"{name}.py").write_text("raise ImportError('a slow import')\n")
    environment = {**os.environ, "PYTHONPATH": f"{tmp_path}{os.pathsep}{ROOT}"}

    def run(*arguments):
        return subprocess.run(
            [sys.executable, "-m", "annotator", *arguments],
            env=environment,
            cwd=tmp_path,
            capture_output=True,
            text=True,
            timeout=120,
        )

    return run


@pytest.mark.parametrize("arguments", [(), ("-h",), ("--help",)])
def test_the_commands_are_listed_in_a_line_each(console, arguments):
    result = console(*arguments)
    assert result.returncode == 0 and not result.stderr
    lines = [line.split() for line in result.stdout.splitlines() if line[:2] == "  "]
    assert [line[0] for line in lines] == list(main.MODULES)
    assert all(len(line) > 4 for line in lines)
    assert max(map(len, result.stdout.splitlines())) <= 80


def test_version(console):
    for arguments in (["--version"], *([name, "--version"] for name in main.MODULES)):
        result = console(*arguments)
        assert (result.returncode, result.stdout) == (0, f"annotator {__version__}\n")


def test_a_command_that_there_is_not(console):
    result = console("serv")
    assert result.returncode == 2
    assert "Unknown command 'serv'" in result.stderr
    assert "Did you mean serve?" in result.stderr


@pytest.mark.parametrize(
    ("arguments", "code", "message"),
    [
        (["train", "--dataset=corel"], 1, "Did you mean corel5k?"),
        (["evaluate"], 1, "--workdir must have a value"),
        (["annotate", "--model=m"], 2, "--images must have a value"),
        (["serve", "--port=8"], 1, "--model must have a value"),
        (["train", "--epoch=1"], 1, "Did you mean --epochs?\n(see annotator train -"),
    ],
)
def test_commands_are_dispatched(console, arguments, code, message):
    result = console(*arguments)
    assert result.returncode == code and message in result.stderr
    assert "Traceback" not in result.stderr and "slow import" not in result.stderr


def test_right_flags_reach_the_command(console):
    result = console("train")
    assert result.returncode == 1 and "a slow import" in result.stderr


@pytest.mark.parametrize("name", main.MODULES)
def test_help_of_every_command(console, name):
    for flag in ("-h", "--help"):
        result = console(name, flag)
        assert result.returncode == 1 and not result.stderr  # as absl's programs
        assert f"usage: annotator {name} [--FLAG=VALUE]" in result.stdout


def test_importing_the_commands_defines_nothing():
    code = (
        "import importlib, sys\n"
        "from absl import app, flags\n"
        "before = set(flags.FLAGS)\n"
        "from annotator.__main__ import MODULES\n"
        "modules = [importlib.import_module(m) for m in MODULES.values()]\n"
        "assert len(modules) == 6 and set(flags.FLAGS) == before\n"
        "assert not {'tensorflow', 'keras', 'numpy', 'uvicorn'} & set(sys.modules)\n"
    )
    result = subprocess.run(
        [sys.executable, "-c", code], capture_output=True, text=True
    )
    assert result.returncode == 0, result.stderr
