"""The trained captioner that `--init_from` names."""

import dataclasses
import pathlib
from collections.abc import Callable

from annotator import loading
from annotator.captioner import Captioner
from annotator.config import Config
from annotator.runs import settings_file
from annotator.runs.heads import CAPTIONER
from annotator.runs.workdir import Workdir

# What both captioners must agree on, in words for which there is a flag.
_AGREEING: dict[str, Callable[[Config], object]] = {
    "backbone": lambda config: config.backbone,
    "captioner_tap": CAPTIONER.tap,
    "decoder": lambda config: config.decoder,
    "layers": lambda config: config.layers,
    "units": lambda config: config.units,
    "attention_units": lambda config: config.attention_units,
    "tied": lambda config: config.tied,
    "region_power": lambda config: config.region_power,
}


@dataclasses.dataclass(frozen=True)
class Start:
    """A trained captioner to start from.

    Attributes:
        path: Its `.keras` file.
        config: The settings that it was trained with.
    """

    path: pathlib.Path
    config: Config

    def captioner(self) -> Captioner:
        """Loads it."""
        return loading.model(self.path)


def find_start(name: str) -> Start:
    """Finds the trained captioner of a name.

    Args:
        name: Folder of a run.

    Raises:
        FileNotFoundError: When it is no run, or one without a trained captioner.
    """
    try:
        config = settings_file.load(name)
    except FileNotFoundError as error:
        raise FileNotFoundError(f"--init_from={name}: {error}") from error
    path = Workdir(name).model(CAPTIONER.name)
    if not path.is_file():
        raise FileNotFoundError(
            f"--init_from={name} holds no trained captioner: there is no {path}."
        )
    return Start(path, config)


def check_start(config: Config) -> None:
    """Finds out whether a captioner can start from the one that its settings name.

    Args:
        config: `Config` of the captioner that is to be trained.

    Raises:
        FileNotFoundError: As of `find_start`.
        ValueError: When the two differ in what must be equal; names the flag and both
            values.
    """
    if not config.init_from:
        return
    other = find_start(config.init_from).config
    values = {name: (value(config), value(other)) for name, value in _AGREEING.items()}
    if config.rounds and other.rounds:
        values["feedback"] = config.feedback, other.feedback
    if "stacked" not in (config.decoder, other.decoder):
        del values["layers"]  # they have one, whatever it says
    differing = {name: pair for name, pair in values.items() if pair[0] != pair[1]}
    if differing:
        mine = " ".join(
            f"--{name}={_typed(own)}" for name, (own, _) in differing.items()
        )
        theirs = " ".join(
            f"--{name}={_typed(value)}" for name, (_, value) in differing.items()
        )
        raise ValueError(
            f"--init_from={config.init_from} was trained with {theirs}, and this run "
            f"has {mine}: say {theirs} here as well."
        )


def _typed(value):
    return str(value).lower() if isinstance(value, bool) else value
