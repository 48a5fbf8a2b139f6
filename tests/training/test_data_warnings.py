"""Warnings about data: one line each, with a number of images that helps."""

import numpy as np
import pytest

from annotator.training.data_warnings import (
    warn_of_common_tags,
    warn_of_few_validation_images,
    warn_of_no_match,
)


def said(capsys):
    """The one line that was printed, or nothing."""
    lines = capsys.readouterr().out.splitlines()
    assert len(lines) <= 1
    return "".join(lines)


@pytest.mark.parametrize(
    ("images", "told"), [(1, "1 image:"), (4, "4 images:"), (49, "49 images:")]
)
def test_few_validation_images(images, told, capsys):
    warn_of_few_validation_images(images)
    line = said(capsys)
    assert line.startswith("warning: validation has " + told) and "at least 100" in line


def test_enough_validation_images(capsys):
    warn_of_few_validation_images(50)
    assert not said(capsys)


def test_no_caption_matches(capsys):
    warn_of_no_match(2, 4)
    line = said(capsys)
    assert "epoch 3: no caption of 4 images shares four words" in line
    assert "at least 100 validation images" in line


def tags_of(images, *carried):
    return np.arange(images)[:, None] < np.array(carried)


def test_tags_that_nearly_all_images_carry(capsys):
    warn_of_common_tags(tags_of(60, 59, 20, 55), ("photo", "sea", "sky"))
    line = said(capsys)
    assert "of 60 images to learn from carry photo (59), sky (55):" in line
    # 59 of 66 are less than 90 %.
    assert "at least 6 images more" in line
    assert 59 <= 0.9 * 66 < 59.5 and "sea" not in line


def test_tags_at_the_border_and_many(capsys):
    warn_of_common_tags(tags_of(10, 9, 1), ("photo", "sea"))
    assert not said(capsys)
    warn_of_common_tags(tags_of(10, *[10] * 8), [f"w{i}" for i in range(8)])
    line = said(capsys)
    assert "w4 (10) and 3 more" in line and "at least 2 images more" in line
