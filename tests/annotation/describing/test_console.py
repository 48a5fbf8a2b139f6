"""Descriptions on the console: what is printed where."""

import os

from annotator.annotation.describing.annotator import Annotator
from annotator.annotation.describing.console import print_descriptions


def test_names_descriptions_and_errors(brightness_model, gray_images, capsys):
    describe = Annotator(brightness_model, batch_size=3)
    bright, dark = str(gray_images / "20.png"), str(gray_images / "03.png")
    missing = str(gray_images / "no.png")
    assert print_descriptions(describe, [bright, missing, dark]) == 1
    printed = capsys.readouterr()
    assert printed.out == (f"{bright}\n  tags: light 200\n{dark}\n  tags: dark 30\n")
    assert printed.err == f"error: {missing}: No such file or directory\n"


def test_folders_are_opened(brightness_model, gray_images, tmp_path, capsys):
    describe = Annotator(brightness_model)
    empty = tmp_path / "empty"
    empty.mkdir()
    paths = [str(gray_images / "24.png"), str(gray_images), str(empty)]
    assert print_descriptions(describe, paths) == 1
    printed = capsys.readouterr()
    names = [line for line in printed.out.splitlines() if line[0] != " "]
    listed = [os.path.join(gray_images, f"{i:02}.png") for i in range(25)]
    assert names == [paths[0], *listed]
    assert printed.err == f"error: {empty}: A folder, not an image file.\n"
