"""The tasks: what they find missing in a data set."""

import dataclasses

import pytest

from annotator.datasets import load
from annotator.runs.heads import CAPTIONER, TAGGER


@pytest.mark.parametrize("empty", ["none", "all empty"])
def test_without_tags_the_task_that_does_without_is_named(empty, image_folder):
    images = load("folder", "train", data_dir=str(image_folder))
    TAGGER.check_labels(images)
    tags = None if empty == "none" else images.tags & False
    images = dataclasses.replace(images, tags=tags)
    CAPTIONER.check_labels(images)
    with pytest.raises(ValueError, match="folder has no tags.*--task=captioner does"):
        TAGGER.check_labels(images)
