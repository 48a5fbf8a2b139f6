"""The console command `annotator`, which is also `python -m annotator`."""

import importlib
import sys
from typing import NoReturn

from annotator.config import commands
from annotator.config.names import suggestion

# The module of each command, which defines no flag when it is imported.
MODULES = {
    "train": "annotator.training.command",
    "evaluate": "annotator.evaluation.command",
    "annotate": "annotator.annotation.command",
    "undo": "annotator.metadata.command",
    "serve": "annotator.serve.command",
    "review": "annotator.review.command",
}


def main(argv: list[str] | None = None) -> NoReturn:
    """Runs one of the commands and ends the program.

    Args:
        argv: The program and its arguments, by default those of the process.
    """
    _, *arguments = sys.argv if argv is None else argv
    if not arguments or arguments[0] in ("-h", "--help", "help"):
        print(_overview())
        sys.exit(0)
    name, *rest = arguments
    if name == "--version":
        print(commands.version())
        sys.exit(0)
    if name not in MODULES:
        commands.end(
            2,
            f"error: Unknown command {name!r}; there are {', '.join(MODULES)}."
            f"{suggestion(name, MODULES)}",
        )
    _command(name).main([f"annotator {name}", *rest])


def _overview():
    lines = [
        "Describes images with a caption and tags.",
        "",
        "usage: annotator COMMAND [--FLAG=VALUE]",
        "",
        *(
            f"  {name:9} {_command(name).description.splitlines()[0]}"
            for name in MODULES
        ),
        "",
        "`annotator COMMAND --help` shows the flags of a command.",
    ]
    return "\n".join(lines)


def _command(name: str) -> commands.Command:
    return importlib.import_module(MODULES[name]).COMMAND


if __name__ == "__main__":
    main()
