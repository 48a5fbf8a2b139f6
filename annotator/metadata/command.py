"""The command `undo`: takes back what a run of `annotate` wrote beside images."""

import sys

from absl import flags

from annotator.config import commands
from annotator.metadata.journal import Journal
from annotator.metadata.undo import undo, undo_in_folder

_FAILURE = 2
_SHOWN = 20


def _define(parser: commands.Parser) -> None:
    group = parser.group("input")
    group.add(
        flags.DEFINE_string,
        "run",
        None,
        "The run, as `annotate` names it at its end and in OUTPUT.settings.json.",
        required=True,
    )
    group.add(
        flags.DEFINE_string,
        "images",
        None,
        "A folder of photographs, where this user's journal on this machine does not "
        "know the run: its words are taken out of all XMP sidecars below it.",
    )


def _run(values: commands.Values) -> int:
    if values.images is None:
        with Journal() as journal:
            undone = undo(journal, values.run)
    else:
        undone = undo_in_folder(values.images, values.run)
    for path, reason in undone.left[:_SHOWN]:
        print(f"{ascii(path)[1:-1]}: left as it is: {reason}", file=sys.stderr)
    if len(undone.left) > _SHOWN:
        print(f"... and {len(undone.left) - _SHOWN} more", file=sys.stderr)
    print(
        f"run {values.run}: {undone.restored} sidecars are as before it, "
        f"{undone.edited} keep what was edited since, {len(undone.left)} were left"
    )
    return int(bool(undone.left))


COMMAND = commands.Command(
    """Takes back what a run of `annotate` wrote beside images.

    annotator undo --run=20261127-130322-3fa9c1d2

makes each sidecar what it was before the run. Where somebody edited an XMP sidecar
since, the run's words and caption are taken out and the edits stay; another sidecar
that was edited is left as it is and named, and the exit code is then 1.""",
    _define,
    _run,
    failure=_FAILURE,
)
main = COMMAND.main
