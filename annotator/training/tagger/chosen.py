"""The settings of a run's tagger, those among them that its images chose."""

import dataclasses

from annotator import files
from annotator.config import Config
from annotator.runs import settings_file
from annotator.runs.workdir import Workdir

_CHOSEN = ("shrinkage", "margin", "lift")


def chosen_settings(config: Config, workdir: Workdir) -> Config:
    """The settings of a run, with what was chosen by its training images so far.

    A run that extends another takes over what that one has, as it does its whitening.

    Args:
        config: The settings of the run. If its scores are fitted, none stays open.
        workdir: Its files.
    """
    chosen = {}
    if workdir.strengths.is_file():
        chosen = files.read_json(workdir.strengths)
    elif config.extend:
        other = Workdir(config.extend)
        extended = chosen_settings(settings_file.load(other.folder), other)
        chosen = {name: getattr(extended, name) for name in _CHOSEN}
    settings = {
        name: chosen[name]
        for name in _CHOSEN
        if name in chosen and getattr(config, name) is None
    }
    return dataclasses.replace(config, **settings)
