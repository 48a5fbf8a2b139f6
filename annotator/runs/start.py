"""The trained captioners that the settings of another one name."""

import dataclasses
import operator
import pathlib
from collections.abc import Callable, Mapping
from typing import Any

from annotator import loading
from annotator.captioner import Captioner
from annotator.config import Config
from annotator.export import preset
from annotator.runs import settings_file
from annotator.runs.heads import CAPTIONER
from annotator.runs.workdir import Workdir

# What both captioners must agree on, in words for which there is a flag.
_AGREEING: dict[str, Callable[[Config], Any]] = {
    "backbone": lambda config: config.backbone,
    "captioner_tap": CAPTIONER.tap,
    "decoder": lambda config: config.decoder,
    "layers": lambda config: config.layers,
    "units": lambda config: config.units,
    "attention_units": lambda config: config.attention_units,
    "tied": lambda config: config.tied,
    "condition": lambda config: config.condition,
    "region_power": lambda config: config.region_power,
}
# What captioners that read the same regions must agree on.
_OF_REGIONS: dict[str, Callable[[Config], Any]] = {
    "backbone": lambda config: config.backbone,
    "backbone_weights": lambda config: config.backbone_weights,
    "captioner_tap": CAPTIONER.tap,
    "scales": lambda config: config.scales[0],
    "aspect": lambda config: config.aspect,
    "resize_method": lambda config: config.resize_method,
    "finetune_backbone": lambda config: config.finetune_backbone,
}


@dataclasses.dataclass(frozen=True)
class Start:
    """A trained captioner.

    Attributes:
        config: The settings that it was trained with.
        captioner: Loads it.
    """

    config: Config
    captioner: Callable[[], Captioner]


def find_start(name: str, flag: str = "init_from") -> Start:
    """Finds the trained captioner of a name.

    Args:
        name: Folder of a run or of a preset, or the name of a packaged preset.
        flag: The flag that names it, for messages.

    Raises:
        FileNotFoundError: When it is none, or has no trained captioner.
        ValueError: When a file of a preset was altered.
    """
    folder = pathlib.Path(name)
    if not folder.exists():
        folder = preset.packaged().get(name, folder)
    if preset.is_preset(folder):
        return _of_preset(name, folder, flag)
    try:
        config = settings_file.load(name)
    except FileNotFoundError as error:
        raise FileNotFoundError(
            f"--{flag}={name}: {error} Name the workdir of a trained captioner, or a "
            f"preset: {', '.join(preset.packaged())}."
        ) from error
    path = Workdir(name).model(CAPTIONER.name)
    if not path.is_file():
        raise FileNotFoundError(
            f"--{flag}={name} holds no trained captioner: there is no {path}."
        )
    return Start(config, lambda: loading.model(path))


def _of_preset(name, folder, flag):
    manifest = preset.read_preset(folder)
    facts = manifest["tasks"].get(CAPTIONER.name)
    if facts is None:
        raise FileNotFoundError(f"--{flag}={name} has no captioner.")
    arrays = preset.read_head(folder, CAPTIONER.name)
    config = preset.head_config(folder, manifest, CAPTIONER.name)
    return Start(
        Config.from_json(config, str(folder / preset.PRESET)),
        lambda: preset.build_head(facts["model"], arrays, str(folder)),
    )


def check_start(config: Config) -> None:
    """Finds out whether a captioner goes with those that its settings name.

    Args:
        config: `Config` of the captioner that is to be trained.

    Raises:
        FileNotFoundError: As of `find_start`.
        ValueError: When two differ in what must be equal; names the flag and both
            values.
    """
    named = [("ensemble", name) for name in config.ensemble]
    if config.distill:
        named.append(("distill", config.distill))
    for flag, name in named:
        other = find_start(name, flag).config
        _compare(config, other, f"--{flag}={name}", _OF_REGIONS)
    if not config.init_from:
        return
    other = find_start(config.init_from).config
    agreeing = dict(_AGREEING)
    if config.rounds and other.rounds:
        for name in ("feedback", "feedback_score", "feedback_on"):
            agreeing[name] = operator.attrgetter(name)
    if "stacked" not in (config.decoder, other.decoder):
        del agreeing["layers"]  # they have one, whatever it says
    _compare(config, other, f"--init_from={config.init_from}", agreeing)


def _compare(
    config: Config,
    other: Config,
    named: str,
    agreeing: Mapping[str, Callable[[Config], Any]],
) -> None:
    pairs = {name: (value(config), value(other)) for name, value in agreeing.items()}
    differing = {name: pair for name, pair in pairs.items() if pair[0] != pair[1]}
    if differing:
        mine = " ".join(
            f"--{name}={_typed(own)}" for name, (own, _) in differing.items()
        )
        theirs = " ".join(
            f"--{name}={_typed(value)}" for name, (_, value) in differing.items()
        )
        raise ValueError(
            f"{named} was trained with {theirs}, and this run has {mine}: say {theirs} "
            "here as well."
        )


def _typed(value):
    return str(value).lower() if isinstance(value, bool) else value
