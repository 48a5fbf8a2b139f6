"""Commands of the console: flags in groups, help, errors and exit codes."""

import dataclasses
import os
import shutil
import sys
import textwrap
import warnings
from collections.abc import Callable
from typing import Any, NoReturn

from absl import app, flags, logging

from annotator.config.names import suggestion
from annotator.config.version import VERSION

# As all programs made with absl.
HELP_EXIT_CODE = 1
INTERRUPTED = 130


class UsageError(ValueError):
    """Flags that do not go together; `--help` would have told."""


@dataclasses.dataclass
class _Group:
    """Flags that stand together in `--help`."""

    title: str
    values: flags.FlagValues
    helps: dict[str, str] = dataclasses.field(default_factory=dict)
    required: list[str] = dataclasses.field(default_factory=list)

    def add(
        self,
        define: Callable[..., Any],
        name: str,
        default: Any,
        help: str,
        required: bool = False,
        note: str | None = None,
        **options: Any,
    ) -> None:
        """Defines a flag.

        Args:
            define: One of `absl.flags.DEFINE_...`.
            name: Its name.
            default: Its default.
            help: A sentence on it.
            required: Whether it must be given.
            note: What stands behind its help; by default its choices and its default.
            **options: What `define` takes besides.
        """
        define(
            name=name, default=default, help=help, flag_values=self.values, **options
        )
        if required:
            self.required.append(name)
        if note is None:
            note = _note(default, required, **options)
        self.helps[name] = f"{help} ({note})" if note else help


class Values(flags.FlagValues):
    """The flags of a command, and the arguments that stand beside them."""

    def __init__(self) -> None:
        super().__init__()
        # All other attributes are flags.
        self.__dict__["arguments"] = []


class Parser:
    """The flags of a command, which are not absl's global ones.

    Args:
        program: What the user typed to call it, such as `"annotator train"`.
        description: Text that `--help` begins with.
    """

    def __init__(self, program: str, description: str) -> None:
        self.program = program
        self.description = description
        self.values = Values()
        self._arguments = ""
        self._groups: dict[str, _Group] = {}

    def group(self, title: str) -> _Group:
        """A group of flags, which `--help` shows in the order they are asked for.

        Args:
            title: Its title.
        """
        return self._groups.setdefault(title, _Group(title, self.values))

    def accept_arguments(self, usage: str) -> None:
        """Lets arguments stand beside the flags: the `arguments` of what is parsed.

        Args:
            usage: What `--help` calls them, such as `"[IMAGE ...]"`.
        """
        self._arguments = usage

    def parse(self, arguments: list[str]) -> Values:
        """Parses arguments.

        `--help`, `-h`, `--helpfull` and `--version` are answered, and end the program.

        Args:
            arguments: What was typed behind the program.

        Raises:
            UsageError: If a flag is unknown, wrong or missing, or anything is left
                over that is not accepted.
        """
        self._add_common_flags()
        try:
            left = self.values([self.program, *arguments])[1:]
        except flags.UnrecognizedFlagError as error:
            raise UsageError(
                f"Unknown command line flag {error.flagname!r}."
                f"{suggestion(error.flagname, self._shown_flags(), '--')}"
            ) from error
        except flags.Error as error:
            raise UsageError(str(error)) from error
        if left and not self._arguments:
            raise UsageError(f"Unexpected arguments: {left}")
        self.values.arguments[:] = left
        for group in self._groups.values():
            for name in group.required:
                if self.values[name].value is None:
                    raise UsageError(f"--{name} must have a value: {group.helps[name]}")
        return self.values

    def help(self, width: int | None = None) -> str:
        """The text of `--help`.

        Args:
            width: Columns; by default those of the terminal.
        """
        width = width or shutil.get_terminal_size().columns
        lines = []
        for paragraph in self.description.split("\n\n"):
            example = paragraph.startswith(" ")
            lines += [paragraph if example else textwrap.fill(paragraph, width), ""]
        lines.append(f"usage: {self.program} [--FLAG=VALUE] {self._arguments}".rstrip())
        for group in self._groups.values():
            lines += ["", f"{group.title}:"]
            for name, help in group.helps.items():
                shown = f"[no]{name}" if self.values[name].boolean else name
                lines += _wrap(f"--{shown}: {help}", width)
        lines += [
            "",
            "others:",
            *_wrap("--verbosity: -1: warnings; 0: what is done; 1: debugging", width),
            *_wrap("--flagfile: a file with more flags, one a line", width),
            *_wrap("--version, -h, --help, --helpfull (absl's flags, too)", width),
        ]
        return "\n".join(lines)

    def _long_help(self):
        return f"{self.help()}\n{flags.FLAGS.get_help()}"

    def _shown_flags(self):
        return [name for group in self._groups.values() for name in group.helps]

    def _add_common_flags(self):
        answers = {
            ("help", "h"): self.help,
            ("helpshort", "?"): self.help,
            ("helpfull", None): self._long_help,  # codespell:ignore helpfull
        }
        for (name, short), text in answers.items():
            self.values[name] = _AnswerFlag(name, text, HELP_EXIT_CODE, short)
        self.values["version"] = _AnswerFlag("version", version, 0)
        for name in flags.FLAGS:  # absl's own, such as --verbosity
            flag = flags.FLAGS[name]
            if name == flag.name and name not in self.values:
                self.values[name] = flag


class _AnswerFlag(flags.BooleanFlag):
    """A flag that is answered as soon as it is read, whatever stands beside it."""

    def __init__(self, name, text, exit_code, short_name=None):
        super().__init__(name, False, "", short_name=short_name)
        self._text = text
        self._exit_code = exit_code

    def parse(self, argument):
        if self._parse(argument):
            try:
                print(self._text(), flush=True)
            except BrokenPipeError:  # `--help | head`
                discard_stdout()
            sys.exit(self._exit_code)


@dataclasses.dataclass(frozen=True)
class Command:
    """A command: what it is called, its flags, and what it does.

    Attributes:
        description: Text that `--help` begins with.
        define: Defines its flags; called with a `Parser`.
        run: Called with what was parsed; returns the exit code, `None` for 0. Imports
            TensorFlow, which is slow: help and wrong flags are answered before.
        failure: Exit code if it could not be begun or ended.
        interrupted: What the user is told after Ctrl-C.
    """

    description: str
    define: Callable[[Parser], None]
    run: Callable[[Values], int | None]
    failure: int = 1
    interrupted: str = ""

    def main(self, argv: list[str] | None = None) -> NoReturn:
        """Runs the command and ends the program.

        Args:
            argv: The program and its arguments, by default those of the process.
        """
        program, *arguments = sys.argv if argv is None else argv
        parser = Parser(os.path.basename(program), self.description)
        self.define(parser)

        def parse(argv: list[str]) -> Values:
            try:
                values = parser.parse(argv[1:])
            except UsageError as error:
                end(self.failure, f"error: {error}\n(see {parser.program} --help)")
            flags.FLAGS.mark_as_parsed()  # absl reads its own there
            return values

        app.run(self._run, [program, *arguments], flags_parser=parse)

    def _run(self, values: Values) -> int | None:
        if not values["verbosity"].present:
            logging.set_verbosity(logging.WARNING)
        # A line of the program that warns says nothing to those who read it here.
        warnings.formatwarning = lambda message, *_args, **_options: f"{message}\n"
        try:
            return self.run(values)
        except UsageError as error:
            end(self.failure, f"error: {error}")
        except (ValueError, OSError, FloatingPointError) as error:
            logging.debug("", exc_info=True)
            end(
                self.failure,
                f"error: {error}\n(with --verbosity=1: where it came from)",
            )
        except KeyboardInterrupt:
            end(INTERRUPTED, f"\n{self.interrupted}" if self.interrupted else "")


def version() -> str:
    """The text of `--version`."""
    return f"annotator {VERSION}"


def discard_stdout() -> None:
    """Lets stdout lead nowhere: its reader is gone, and Python flushes at its end."""
    os.dup2(os.open(os.devnull, os.O_WRONLY), sys.stdout.fileno())


def end(code: int, message: str) -> NoReturn:
    """Ends the program.

    Args:
        code: Its exit code.
        message: What is written to stderr.
    """
    print(message, file=sys.stderr)
    sys.exit(code)


def _wrap(text, width):
    return textwrap.wrap(
        text,
        max(width, 40),
        initial_indent="  ",
        subsequent_indent="      ",
        break_on_hyphens=False,
    )


def _note(default, required=False, enum_values=(), lower_bound=None, upper_bound=None):
    """What stands behind a flag's help: its choices or bounds, and its default."""
    notes = [f"one of {', '.join(enum_values)}"] if enum_values else []
    if upper_bound is not None:
        notes.append(f"{lower_bound} to {upper_bound}")
    elif lower_bound is not None:
        notes.append(f"{lower_bound} or more")
    if required:
        notes.append("required")
    elif default not in (None, []):
        typed = str(default).lower() if isinstance(default, bool) else default
        notes.append(f"default: {typed}")
    return "; ".join(notes)
