"""Flags for the settings: their names, types, choices, help and shown defaults."""

from collections.abc import Callable, Iterator
from typing import Any

from absl import flags

from annotator.config.config import Config
from annotator.config.presets import PAPER, SHAPES
from annotator.config.setting import GROUPS, Setting

_DEFINE: dict[type, Callable[..., Any]] = {
    bool: flags.DEFINE_bool,
    int: flags.DEFINE_integer,
    float: flags.DEFINE_float,
    str: flags.DEFINE_string,
}


def groups() -> Iterator[tuple[str, list[Setting]]]:
    """The settings as `--help` shows them.

    Yields:
        The name of a group, and its settings.
    """
    settings = Config.settings().values()
    for group in GROUPS:
        yield group, [each for each in settings if each.group == group]


def define(setting: Setting, add: Callable[..., None]) -> None:
    """Defines the flag of a setting.

    A flag that is not given is `None`: the default depends on the others. What is out
    of bounds is found out by `Config`.

    Args:
        setting: The setting.
        add: Called with one of `absl.flags.DEFINE_...`, then the name, the default and
            the help of the flag, and a note on its choices and defaults.
    """
    options: dict[str, Any] = {}
    kind = _DEFINE[setting.kind]
    if setting.many:
        kind = flags.DEFINE_list
    elif setting.choices:
        kind = flags.DEFINE_enum
        options["enum_values"] = setting.choices
    add(kind, setting.name, None, setting.help, note=note(setting), **options)


def note(setting: Setting) -> str:
    """What `--help` says behind the help of a setting: choices, bounds and defaults."""
    notes = []
    if setting.choices:
        number = "any" if setting.many else "one"
        notes.append(f"{number} of {', '.join(setting.choices)}")
    if setting.limit and not setting.many:
        notes.append(setting.limit)
    default = setting.unset if setting.default is None else _typed(setting.default)
    if default:
        notes.append(f"default: {default}")
    for condition, preset in (("shapes", SHAPES), ("--schedule=paper", PAPER)):
        if setting.name in preset and preset[setting.name] != setting.default:
            notes.append(f"{condition}: {_typed(preset[setting.name])}")
    return "; ".join(notes)


def config(values: flags.FlagValues) -> Config:
    """The configuration that flags ask for.

    Args:
        values: Parsed flags, with those of all settings.

    Raises:
        ValueError: If a setting is wrong.
    """
    settings = {}
    for name, setting in Config.settings().items():
        value = values[name].value
        if setting.many and value is not None:
            value = setting.parse(value)
        settings[name] = value
    dataset = settings.pop("dataset") or Config.settings()["dataset"].default
    asked_for = Config.for_dataset(dataset, **settings)
    asked_for.check_request()
    return asked_for


def _typed(value):
    """A value as one types it behind a flag."""
    if isinstance(value, bool):
        return str(value).lower()
    if isinstance(value, tuple):
        return ",".join(map(str, value))
    return f"{value:g}" if isinstance(value, float) else str(value)
