"""`keyworded`: a photographer's folder is a training set, without a machine's words."""

import numpy as np
import pytest
from PIL import Image

from annotator import datasets
from annotator.metadata import Change, Mark, sidecar_path, write_sidecar
from annotator.metadata.edit import edit


def load(folder, split="train+validation+test", **options):
    return datasets.load("keyworded", split, data_dir=str(folder), **options)


@pytest.fixture
def photo(tmp_path):
    """A function that makes a photograph with keywords in its sidecar."""

    def make(name, *human, machine=(), inside=None, style="photo.jpg"):
        path = tmp_path / name
        path.parent.mkdir(exist_ok=True)
        options = {"xmp": edit(None, Change(human=inside))} if inside else {}
        Image.new("RGB", (4, 4)).save(path, **options)
        if human or machine:
            marks = [Mark(word) for word in machine]
            change = Change(machine=marks, human=human)
            write_sidecar(sidecar_path(path, style), change)
        return path

    return make


def tags_of(images):
    return {
        image: {images.words[column] for column in np.flatnonzero(row)}
        for image, row in zip(images.image_ids, images.tags, strict=True)
    }


def test_keywords_become_tags_with_their_parents(photo, tmp_path):
    photo("a.jpg", "animal|pet|dog", "sea")
    photo("sub/b.JPG", "sea", machine=["ship"], style="photo")
    photo("c.jpg", inside=["sand", "animal|cat"])
    photo("machine.jpg", machine=["ship"])
    photo("plain.jpg")
    photo(".hidden.jpg", "x")
    images = load(tmp_path)
    assert images.words == (
        *("animal", "animal|cat", "animal|pet", "animal|pet|dog", "sand", "sea"),
    )
    assert tags_of(images) == {
        "a.jpg": {"animal", "animal|pet", "animal|pet|dog", "sea"},
        "sub/b.JPG": {"sea"},
        "c.jpg": {"sand", "animal", "animal|cat"},
    }
    assert sorted(len(load(tmp_path, s)) for s in ("train", "validation", "test")) == [
        *(1, 1, 1),
    ]


def test_a_folder_without_keywords(photo, tmp_path):
    photo("a.jpg", machine=["ship"])
    with pytest.raises(FileNotFoundError, match="None of the 1 images"):
        load(tmp_path)


def test_a_split_that_would_be_empty(photo, tmp_path):
    photo("a.jpg", "sea")
    full = [s for s in ("train", "validation", "test") if _loads(tmp_path, s)]
    assert len(full) == 1


def _loads(folder, split):
    try:
        return load(folder, split)
    except ValueError as error:
        assert "only 1 of 1 images have keywords" in str(error)


def test_damaged_xmp_is_named_or_left_out(photo, tmp_path):
    for name in "acd":
        photo(f"{name}.jpg", "sea")
    photo("b.jpg")
    (tmp_path / "b.jpg.xmp").write_text("no XMP")
    with pytest.raises(ValueError, match=r"b\.jpg in .*no XML.*--skip_bad_images"):
        load(tmp_path)
    images = load(tmp_path, skip_bad_images=True)
    assert sorted(images.image_ids) == ["a.jpg", "c.jpg", "d.jpg"]
