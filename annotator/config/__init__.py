"""The settings of a run, each of them in one place; imports no TensorFlow."""

from annotator.config.captioner import CaptionerSettings
from annotator.config.config import HEADS, Config
from annotator.config.data import DataSettings
from annotator.config.presets import PAPER, SHAPES
from annotator.config.schemes import SCHEMES, Scheme
from annotator.config.setting import Setting, Settings, setting
from annotator.config.tagger import TaggerSettings

__all__ = [
    "CaptionerSettings",
    "Config",
    "DataSettings",
    "HEADS",
    "PAPER",
    "SCHEMES",
    "SHAPES",
    "Scheme",
    "Setting",
    "Settings",
    "TaggerSettings",
    "setting",
]
