"""The command `evaluate`: its flags, and what it prints.

It is `python evaluate.py` in the checkout and `annotator evaluate` anywhere.
"""

import os

from absl import flags

from annotator.config import commands
from annotator.config.names import check_dataset
from annotator.terminal.overall import OverallProgress
from annotator.terminal.startup import announce, start_tensorflow


def _define(parser: commands.Parser) -> None:
    group = parser.group("input")
    group.add(flags.DEFINE_string, "workdir", None, "The run's folder.", required=True)
    group.add(
        flags.DEFINE_enum,
        "task",
        "all",
        "What to score.",
        enum_values=["tagger", "captioner", "all"],
    )
    group.add(flags.DEFINE_string, "split", "validation", "The split to score.")
    group.add(
        flags.DEFINE_string,
        "dataset",
        None,
        "Another data set to score on; the files of its scores are named after it.",
        note="default: as in training",
    )
    group.add(
        flags.DEFINE_string,
        "data_dir",
        None,
        "The data set's folder, if it moved or is that of another.",
        note="default: as in training; of another data set $ANNOTATOR_DATA/DATASET",
    )
    group.add(
        flags.DEFINE_string,
        "cache_dir",
        None,
        "Feature caches, if they are elsewhere now.",
        note="default: as in training",
    )
    group.add(
        flags.DEFINE_bool,
        "skip_bad_images",
        None,
        "Go on without unreadable images.",
        note="default: as in training",
    )
    group = parser.group("output")
    group.add(
        flags.DEFINE_bool, "compare", False, "Add the published rows for this data set."
    )
    group.add(
        flags.DEFINE_integer,
        "pictures",
        0,
        "Images to draw with what was said of them.",
        lower_bound=0,
    )
    group.add(
        flags.DEFINE_integer,
        "attention",
        0,
        "Images to draw with where each layer looked.",
        lower_bound=0,
    )
    group.add(
        flags.DEFINE_bool,
        "html",
        False,
        "Write a report: one HTML page that needs no other file.",
    )
    group.add(
        flags.DEFINE_integer,
        "html_images",
        24,
        "Images of the report: the best, the middling and the worst of each task.",
        lower_bound=0,
        upper_bound=300,
    )


def _run(values: flags.FlagValues) -> None:
    if values.dataset is not None:
        check_dataset(values.dataset)
    from annotator.runs import settings_file

    precision = settings_file.load(os.path.expanduser(values.workdir)).precision
    start_tensorflow()
    announce(precision)
    from annotator.evaluation.run import evaluate

    with OverallProgress() as progress:
        _, table = evaluate(
            values.workdir,
            values.split,
            values.compare,
            values.pictures,
            values.attention,
            values.task,
            progress,
            html=values.html,
            html_images=values.html_images,
            dataset=values.dataset,
            data_dir=values.data_dir,
            cache_dir=values.cache_dir,
            skip_bad_images=values.skip_bad_images,
        )
    print(f"\n{table}")


COMMAND = commands.Command(
    "Scores a trained run on a split of its data set, or of another.", _define, _run
)
main = COMMAND.main
