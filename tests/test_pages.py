"""The pages name flags that there are, each beside a command that has it."""

import functools
import importlib
import pathlib
import re

import pytest

from annotator.__main__ import MODULES
from annotator.config import commands

ROOT = pathlib.Path(__file__).parents[1]
PAGES = [ROOT / "README.md", *sorted((ROOT / "docs").glob("*.md"))]
# The commands of the checkout are called as their scripts.
COMMAND = re.compile(rf"(?:annotator ({'|'.join(MODULES)})|\b(\w+)\.py)\b([^`]*)")
FLAG = re.compile(r"(?<![\w-])--([a-z_][a-z0-9_]*)")


@functools.cache
def flags_of(name):
    """The flags of a command, those that turn one off among them."""
    command = importlib.import_module(MODULES[name]).COMMAND
    parser = commands.Parser(name, command.description)
    command.define(parser)
    parser._add_common_flags()
    switches = {f"no{each}" for each in parser.values if parser.values[each].boolean}
    return set(parser.values) | switches


def called(page):
    """`(command, flags)` of each of our commands in the code of a page."""
    text = page.read_text(encoding="utf-8").replace("\\\n", " ")
    blocks = re.findall(r"```\w*\n(.*?)```", text, re.DOTALL)
    spans = re.findall(r"`([^`]+)`", re.sub(r"```.*?```", "", text, flags=re.DOTALL))
    for line in [line for block in blocks for line in block.splitlines()] + spans:
        for command, script, rest in COMMAND.findall(line):
            if (name := command or script) in MODULES:
                yield name, FLAG.findall(rest)


@pytest.mark.parametrize("page", PAGES, ids=lambda page: page.stem)
def test_commands_have_the_flags_that_they_are_given(page):
    for name, given in called(page):
        assert set(given) <= flags_of(name), f"{page.name}: {name} has no such flag"


def test_commands_are_found():
    found = [flags for page in PAGES for _, flags in called(page)]
    assert len(found) > 30 and sum(map(len, found)) > 40


def test_flags_that_are_named_alone_are_of_one_of_the_commands():
    known = set().union(*map(flags_of, MODULES))
    others = {"enable_batching", "batching_parameters_file"}  # TensorFlow Serving's
    for page in PAGES:
        if page.stem in ("benchmarks", "robustness"):  # flags of the benchmarks
            continue
        spans = re.findall(r"`(--[^`]*)`", page.read_text(encoding="utf-8"))
        named = {flag for span in spans for flag in FLAG.findall(span)}
        assert named <= known | others, page.name
