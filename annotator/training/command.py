"""The command `train`: its flags, and what it prints.

It is `python train.py` in the checkout and `annotator train` anywhere.
"""

import os

from absl import flags

from annotator.config import commands
from annotator.config import flags as setting_flags
from annotator.terminal.overall import OverallProgress
from annotator.terminal.startup import announce, start_tensorflow


def _define(parser: commands.Parser) -> None:
    for title, settings in setting_flags.groups():
        group = parser.group(title)
        for setting in settings:
            setting_flags.define(setting, group.add)
    group = parser.group("data")
    group.add(
        flags.DEFINE_string,
        "workdir",
        None,
        "The run's folder.",
        note="default: runs/DATASET",
    )
    group.add(
        flags.DEFINE_string,
        "eval_split",
        None,
        "The split to score.",
        note="default: validation, or test where that is learned; shapes: test",
    )


def _run(values: flags.FlagValues) -> None:
    config = setting_flags.config(values)
    workdir = values.workdir or os.path.join("runs", config.dataset)
    split = "test" if config.dataset == "shapes" else None
    start_tensorflow()
    from annotator.backbones.precision import resolve_precision
    from annotator.training import workers
    from annotator.training.run import train

    workers.strategy()  # before TensorFlow does anything
    announce(resolve_precision(config.precision))
    with OverallProgress() as progress:
        _, table, exports = train(config, workdir, values.eval_split or split, progress)
    if exports:  # not for other workers than the first
        print(f"\n{table}\n\nexported:", *exports, sep="\n  ")


COMMAND = commands.Command(
    """Trains, scores and exports models that tag and caption images.

Without flags it needs no data: it draws some. An interrupted run goes on where it
stopped when the same command is given again.""",
    _define,
    _run,
    interrupted="interrupted: the same command goes on",
)
main = COMMAND.main
