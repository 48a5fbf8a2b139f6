import re

import pytest

from annotator import datasets


def test_names():
    assert {"shapes", "corel5k", "flickr8k", "folder"} <= set(datasets.names())


def test_unknown_name_lists_the_known():
    with pytest.raises(ValueError, match="'mnist'; known: shapes, corel5k.*tfds:NAME"):
        datasets.load("mnist", "train")


@pytest.mark.parametrize(
    ("typed", "meant"),
    [("corel", "corel5k"), ("flickr8", "flickr8k"), ("shape", "shapes")],
)
def test_unknown_name_is_answered_with_the_one_that_was_meant(typed, meant):
    message = f"'{typed}'; did you mean '{meant}'. Known: shapes, corel5k.*tfds:NAME"
    with pytest.raises(ValueError, match=message):
        datasets.load(typed, "train")


def test_unknown_split_lists_the_known():
    with pytest.raises(ValueError, match="'minival'; known: train, validation"):
        datasets.load("corel5k", "minival")


@pytest.mark.parametrize(
    ("typed", "meant"),
    [
        ("val", "validation"),
        ("dev", "validation"),
        ("tests", "test"),
        ("train+val", "train+validation"),
        ("Validation", "validation"),
    ],
)
def test_unknown_split_is_answered_with_the_one_that_was_meant(typed, meant):
    message = f"'{re.escape(typed)}'; did you mean '{re.escape(meant)}'. Known: train"
    with pytest.raises(ValueError, match=message):
        datasets.load("shapes", typed)


def test_unknown_option_lists_the_known(tmp_path):
    with pytest.raises(ValueError, match="no option 'size'; known: config"):
        datasets.load("shapes", "train", cache_dir=str(tmp_path), size=3)


def test_no_data_dir_names_flag_and_variable(monkeypatch):
    monkeypatch.delenv("ANNOTATOR_DATA", raising=False)
    with pytest.raises(FileNotFoundError, match=r"--data_dir.*\$ANNOTATOR_DATA"):
        datasets.load("corel5k", "train")


def test_missing_data_dir_names_flag_and_variable(monkeypatch, tmp_path):
    monkeypatch.setenv("ANNOTATOR_DATA", str(tmp_path))
    message = r"corel5k.*--data_dir.*\$ANNOTATOR_DATA/corel5k"
    with pytest.raises(FileNotFoundError, match=message):
        datasets.load("corel5k", "train")
    with pytest.raises(FileNotFoundError, match="nowhere"):
        datasets.load("corel5k", "train", data_dir=str(tmp_path / "nowhere"))


def test_data_dir_from_the_environment(monkeypatch, tmp_path):
    folder = tmp_path / "folder"
    folder.mkdir()
    (folder / "a.png").write_bytes(b"a")
    (folder / "tags.csv").write_text("image,tags,split\na.png,red;round,train\n")
    monkeypatch.setenv("ANNOTATOR_DATA", str(tmp_path))
    assert datasets.load("folder", "train").image_ids == ("a.png",)
