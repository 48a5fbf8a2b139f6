"""Recipes: `train.py` knows their flags, and the results page quotes their scores."""

import os
import pathlib
import re
import subprocess
import sys

import pytest

ROOT = pathlib.Path(__file__).parent.parent
RECIPES = sorted((ROOT / "recipes").glob("*.sh"))
FIELDS = {"result", "data", "time", "machine", "expect"}


def fields(recipe):
    """The front matter, a dict: comments `# name: text`, continued by `#   text`."""
    found, name = {}, None
    for line in recipe.read_text(encoding="utf-8").splitlines()[1:]:
        if not line.startswith("# "):
            break
        if line.startswith("#   "):
            found[name] += " " + line[4:]
        else:
            name, found[name] = line[2:].split(": ", 1)
    return found


def test_the_front_matter_is_whole():
    assert RECIPES
    for recipe in RECIPES:
        assert fields(recipe).keys() >= FIELDS, recipe.name


@pytest.mark.parametrize("recipe", RECIPES, ids=lambda recipe: recipe.stem)
def test_train_knows_the_flags(recipe):
    result = subprocess.run(
        ["bash", recipe, "--only_check_args"],
        env={**os.environ, "PYTHON": sys.executable},
        capture_output=True,
        text=True,
        timeout=120,
    )
    assert not result.returncode, result.stderr
    assert f"--workdir=runs/recipes/{recipe.stem} " in recipe.read_text()


def test_the_results_page_quotes_the_scores():
    rows = {}
    page = ROOT / "docs" / "results.md"
    for line in page.read_text(encoding="utf-8").splitlines():
        row = re.match(r"\| .*`recipes/(\w+)\.sh`[^|]*\|(.*)", line)
        if row:
            rows[row[1]] = re.findall(r"\d[\d.]*", row[2])
    assert rows == {
        recipe.stem: re.findall(r" (\d[\d.]*)", fields(recipe)["expect"])
        for recipe in RECIPES
    }
