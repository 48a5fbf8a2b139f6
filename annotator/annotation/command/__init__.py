"""The command `annotate`."""

from annotator.annotation.command.command import COMMAND, main

__all__ = ["COMMAND", "main"]
