"""A setting: one field of a dataclass, with its help, its bounds and its role.

    units: int = setting(512, "Width of the states.", group="captioner", least=1)

is all that is written about a setting. Its flag, the check of its value, its place in
`--help` and what `config.json` may hold follow from this line.
"""

import dataclasses
import functools
import types
import typing
from collections.abc import Callable
from typing import Any

from annotator.config.names import suggestion

# The parts of `--help`, in the order in which they stand there.
GROUPS = ("data", "backbone", "tagger", "captioner", "training", "decoding")

_METADATA = "setting"


@dataclasses.dataclass(frozen=True)
class Setting:
    """What is known of a setting.

    Attributes:
        help: A sentence on what it decides.
        group: The part of `--help` that it stands in, one of `GROUPS`.
        name: Name of the field, and of the flag.
        kind: `bool`, `int`, `float` or `str`; of a tuple, that of its items.
        many: Whether the value is a tuple.
        optional: Whether the value may be `None`.
        default: The value where no preset has another.
        unset: What `None` stands for.
        choices: The values there are; of a tuple, its items. Empty for any.
        least: The lowest value.
        most: The highest value.
        above: What the value must exceed.
        below: What the value must not reach.
        items: What a tuple must have one of at least.
        check: Called with the value; raises a ValueError if it cannot be.
        exported: Whether a finished run may be given another value: it changes only
            what is exported and scored.
        free: Whether it decides no result, so that a run may go on with another value.
        encoding: Whether it is part of the vector of every image.
        before: What runs did before there was the setting, if that is not the default:
            the value where a run's file says nothing of it.
    """

    help: str
    group: str
    name: str = ""
    kind: type = str
    many: bool = False
    optional: bool = False
    default: Any = None
    unset: str = ""
    choices: tuple[str, ...] = ()
    least: float | None = None
    most: float | None = None
    above: float | None = None
    below: float | None = None
    items: str = ""
    check: Callable[[Any], None] | None = None
    exported: bool = False
    free: bool = False
    encoding: bool = False
    before: Any = None

    @property
    def limit(self) -> str:
        """The bounds in words, such as `"1 or more"`; empty if there are none."""
        if self.most is not None:
            return f"{self.least:g} to {self.most:g}"
        if self.below is not None:
            return f"from {self.least:g} to below {self.below:g}"
        if self.least is not None:
            return f"{self.least:g} or more"
        return "" if self.above is None else f"above {self.above:g}"

    def validate(self, value: Any) -> None:
        """Refuses a value that cannot be.

        Args:
            value: The value, of the setting's type.

        Raises:
            ValueError: If it is out of bounds or no choice; names flag, bound and
                value.
        """
        if value is None and self.optional:
            return
        if self.many:
            self._validate_items(value)
        elif self.choices and value not in self.choices:
            raise ValueError(
                f"--{self.name} must be one of {self.choices}, got {value!r}."
                f"{suggestion(value, self.choices)}"
            )
        elif not self._within_bounds(value):
            raise ValueError(f"--{self.name} must be {self.limit}, got {value}.")
        if self.check is not None:
            self.check(value)

    def parse(self, texts: list[str]) -> tuple[Any, ...]:
        """The value of a setting with several items, as they are typed.

        Args:
            texts: The items. `none`, alone, stands for no item where they are chosen.

        Raises:
            ValueError: If an item is not of its type.
        """
        if self.choices and texts == ["none"]:
            return ()
        try:
            return tuple(self.kind(text) for text in texts)
        except ValueError as error:
            raise ValueError(
                f"--{self.name} needs {self.items}, got {','.join(texts)}."
            ) from error

    def from_json(self, value: Any) -> Any:
        """The value as it was before it was written to a JSON file.

        Args:
            value: What the file holds.

        Raises:
            ValueError: If it is of another type.
        """
        items = value if self.many else [value]
        kinds = (int, float) if self.kind is float else (self.kind,)
        if isinstance(items, list) and all(
            type(item) in kinds or (item is None and self.optional) for item in items
        ):
            return tuple(items) if self.many else value
        kind = f"list of {self.kind.__name__}" if self.many else self.kind.__name__
        raise ValueError(f"--{self.name} must be of type {kind}, got {value!r}.")

    def _validate_items(self, values):
        if self.choices and not set(values) <= set(self.choices):
            raise ValueError(
                f"--{self.name} takes any of {', '.join(self.choices[:-1])} and "
                f"{self.choices[-1]}, or none alone; got {','.join(values)}."
            )
        if self.items and not (values and all(map(self._within_bounds, values))):
            raise ValueError(f"--{self.name} needs {self.items}, got {values}.")

    def _within_bounds(self, value):
        # In this form NaN is out of every bound.
        return (
            (self.least is None or value >= self.least)
            and (self.most is None or value <= self.most)
            and (self.above is None or value > self.above)
            and (self.below is None or value < self.below)
        )


def setting(default: Any, help: str, *, group: str, **known: Any) -> Any:
    """A field of a settings class.

    Args:
        default: Its default.
        help: A sentence on what it decides.
        group: The part of `--help` that it stands in.
        **known: Other attributes of `Setting`.
    """
    metadata = {_METADATA: Setting(help, group, **known)}
    return dataclasses.field(default=default, metadata=metadata)


@dataclasses.dataclass(frozen=True)
class Settings:
    """The base of settings classes, whose fields are made by `setting`.

    Raises:
        ValueError: If a value is out of the bounds of its setting.
    """

    def __post_init__(self) -> None:
        for name, each in self.settings().items():
            each.validate(getattr(self, name))

    def check_together(self) -> None:
        """Refuses settings that do not go with each other.

        Raises:
            ValueError: If there are such; names them and a remedy.
        """

    @classmethod
    @functools.cache
    def settings(cls) -> dict[str, Setting]:
        """Dict from the names of the settings to what is known of them, in order."""
        return {field.name: _describe(field) for field in dataclasses.fields(cls)}

    @classmethod
    def exported(cls) -> tuple[str, ...]:
        """Names of what a finished run may be given anew."""
        return tuple(name for name, each in cls.settings().items() if each.exported)

    @classmethod
    def free(cls) -> tuple[str, ...]:
        """Names of what decides no result."""
        return tuple(name for name, each in cls.settings().items() if each.free)

    @classmethod
    def encoding(cls) -> tuple[str, ...]:
        """Names of what is part of the vector of every image."""
        return tuple(name for name, each in cls.settings().items() if each.encoding)


def _describe(field):
    """The `Setting` of a field, completed by what its annotation says."""
    hint: Any = field.type
    optional = typing.get_origin(hint) is types.UnionType
    if optional:
        (hint,) = [kind for kind in typing.get_args(hint) if kind is not type(None)]
    many = typing.get_origin(hint) is tuple
    return dataclasses.replace(
        field.metadata[_METADATA],
        name=field.name,
        kind=typing.get_args(hint)[0] if many else hint,
        many=many,
        optional=optional,
        default=field.default,
    )
