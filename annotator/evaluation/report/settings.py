"""The settings of a run: those that differ from their defaults, and all."""

import os
from typing import Any

from annotator.config import Config
from annotator.config.config import HEADS
from annotator.config.data import DataSettings
from annotator.config.setting import GROUPS, Setting
from annotator.evaluation.report.markup import Markup, tag

# They say where things lay on a machine, which is nothing to others.
_PLACES = ("data_dir", "cache_dir")


def settings_list(config: Config) -> Markup:
    """The settings of the heads that a run trains.

    Args:
        config: Its settings. Of paths the last part alone is shown, and the folders of
            data and caches are not.
    """
    heads = [HEADS[name] for name in HEADS if config.task in (name, "all")]
    known: dict[str, Setting] = dict(DataSettings.settings())
    for head in heads:
        known |= head.settings()
    known = {name: each for name, each in known.items() if name not in _PLACES}
    changed = [n for n, each in known.items() if getattr(config, n) != each.default]
    groups: list[Markup] = []
    for group in GROUPS:
        names = [name for name, each in known.items() if each.group == group]
        if names:
            items = [_item(name, config, known, name in changed) for name in names]
            groups += [tag("h3", group.capitalize()), tag("dl", *items)]
    own = tag("dl", *(_item(name, config, known, True) for name in changed))
    summary = tag("summary", f"All {len(known)} settings")
    return tag(
        "div",
        tag("p", "Those that differ from their defaults:", class_="rule"),
        own,
        tag("details", summary, *groups),
        class_="settings",
    )


def _item(name: str, config: Config, known: dict, changed: bool) -> Markup:
    value = tag("dd", _text(getattr(config, name)), class_="own" if changed else None)
    return tag("div", tag("dt", name, title=known[name].help), value)


def _text(value: Any) -> str:
    if isinstance(value, tuple):
        return ", ".join(map(_text, value)) or "none"
    if isinstance(value, bool):
        return "yes" if value else "no"
    if isinstance(value, str) and os.path.isabs(value):
        return os.path.basename(value)
    return "–" if value is None else str(value)
