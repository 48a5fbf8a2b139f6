"""What the parsers of the commands show and take: flags in groups, help, mistakes."""

import pytest
from absl import flags

from annotator.annotation import command as annotate_command
from annotator.config import Config, commands
from annotator.evaluation import command as evaluate_command
from annotator.review import command as review_command
from annotator.serve import command as serve_command
from annotator.training import command as train_module


def parser_of(module):
    parser = commands.Parser("program", module.COMMAND.description)
    module.COMMAND.define(parser)
    return parser


def shown_groups(text):
    """Dict from the groups of a help text to the names of their flags, in order."""
    groups = {}
    for line in text.partition("usage:")[2].splitlines():
        if line.endswith(":") and line[0] not in " -":
            groups[line[:-1]] = names = []
        elif line.startswith("  --"):
            names.append(line[4:].partition(":")[0].replace("[no]", ""))
    return groups


@pytest.mark.parametrize(
    ("module", "titles"),
    [
        (
            train_module,
            "data backbone tagger captioner training decoding others",
        ),
        (evaluate_command, "input output others"),
        (annotate_command, "input output tags_and_captions engine others"),
        (serve_command, "input network load others"),
        (review_command, "input network others"),
    ],
)
def test_flags_stand_in_groups_with_help(module, titles):
    parser = parser_of(module)
    text = parser.help(width=72)
    groups = shown_groups(text)
    assert list(groups) == [title.replace("_and_", " and ") for title in titles.split()]
    names = sum(list(groups.values())[:-1], [])
    assert sorted(names) == sorted(parser.values)
    assert all(parser.values[name].help.strip() for name in names)
    flag_lines = [line for line in text.splitlines() if line.startswith("  --")]
    assert max(map(len, text.partition("usage:")[2].splitlines())) <= 72
    assert len(flag_lines) > 5


def test_training_has_a_flag_for_each_setting():
    groups = shown_groups(parser_of(train_module).help(80))
    names = [name for group in list(groups)[:-1] for name in groups[group]]
    assert sorted(names) == sorted([*Config.settings(), "workdir", "eval_split"])
    for name, setting in Config.settings().items():
        assert name in groups[setting.group]


def test_help_shows_choices_bounds_defaults_and_what_is_required():
    text = " ".join(parser_of(annotate_command).help(60).split())
    assert "comma-separated list. (default: photos)" in text
    assert "--captions: Captions per image, best first. (1 or more; default: 1)" in text
    assert "(one of local, spark; default: local)" in text
    assert "--top_k: Tags per image; 0 for all. (default: as exported)" in text
    assert "(required)" in parser_of(evaluate_command).help(60)
    text = " ".join(parser_of(serve_command).help(60).split())
    assert "--port: HTTP port. (1 to 65535; default: 8501)" in text


def test_help_is_as_wide_as_the_terminal(monkeypatch):
    parser = parser_of(train_module)
    for columns in (50, 130):
        monkeypatch.setenv("COLUMNS", str(columns))
        lines = parser.help().splitlines()
        widths = [len(line) for line in lines if line.startswith("  ")]
        assert columns - 20 < max(widths) <= columns


def test_parsing_leaves_the_global_flags_alone():
    before = set(flags.FLAGS)
    for _ in range(2):
        values = parser_of(evaluate_command).parse(["--workdir=w", "--nocompare"])
        assert (values.workdir, values.compare, values.split) == (
            *("w", False, "validation"),
        )
    assert set(flags.FLAGS) == before


@pytest.mark.parametrize(
    ("arguments", "message"),
    [
        (["--workdirs=w"], r"'workdirs'\. Did you mean --workdir\?"),
        (["--workdir=w", "--color=1"], "flag 'color'$"),
        (["--workdir=w", "--nopicture"], "Unknown command line flag"),
        ([], "--workdir must have a value: The run's folder"),
        (["--workdir=w", "x", "y"], r"Unexpected arguments: \['x', 'y'\]"),
    ],
)
def test_usage_errors(arguments, message):
    with pytest.raises(commands.UsageError, match=message.rstrip("$")):
        parser_of(evaluate_command).parse(arguments)
