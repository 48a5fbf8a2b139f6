"""Names that are known without the packages that give them a meaning."""

import subprocess
import sys

from annotator.config import Config
from annotator.config.names import BACKBONES, DATASETS, model_paths, suggestion


def test_data_sets_are_those_of_the_registry():
    from annotator import datasets

    assert tuple(datasets.names()) == DATASETS


def test_backbones_are_those_that_can_be_built():
    from annotator.backbones import backbone_names

    assert backbone_names() == BACKBONES


def test_decoders_are_those_that_can_be_built():
    from annotator.captioner import decoder_names

    assert set(decoder_names()) == set(Config.settings()["decoder"].choices)


def test_suggestions():
    assert suggestion("epoch", ["units", "epochs"], "--") == " Did you mean --epochs?"
    assert suggestion("color", ["units", "epochs"]) == ""


def test_paths_of_models(tmp_path):
    both = tmp_path / "a,b"
    both.mkdir()
    assert model_paths(["x,y", str(both), "z,"]) == ["x", "y", str(both), "z"]


def test_the_settings_import_no_tensorflow():
    code = (
        "import sys, annotator.config.commands, annotator.config.flags\n"
        "ours = {m for m in sys.modules if m.startswith('annotator.')}\n"
        "ours -= {m for m in ours if m.startswith('annotator.config')}\n"
        "print(*sorted(ours), *(m for m in ('tensorflow', 'keras', 'numpy') "
        "if m in sys.modules))\n"
    )
    result = subprocess.run(
        [sys.executable, "-c", code], capture_output=True, text=True
    )
    assert result.stdout.split() == [], result.stderr
