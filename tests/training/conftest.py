"""What the tests of trainings share."""

import dataclasses

import pytest

from annotator.training import run as training


@pytest.fixture
def no_exports(monkeypatch):
    """Lets trainings end with their models, where it is these that a test reads."""
    for task, stages in training.STAGES.items():
        stages = dataclasses.replace(stages, export=lambda run: [])
        monkeypatch.setitem(training.STAGES, task, stages)
    # It tells servers of models, and there are none.
    monkeypatch.setattr(training.serving_files, "write_config", lambda folder: None)
