"""Data sets joined to one: words, knowledge, ids, and the way through the registry."""

import numpy as np
import pytest

from annotator import datasets
from annotator.config.names import check_dataset

WORDS = "sea\nsand\n"


@pytest.fixture
def root(tmp_path):
    """Corel5k and Flickr8k in miniature."""
    corel, flickr = tmp_path / "corel5k", tmp_path / "flickr8k"
    for folder in (corel, flickr):
        folder.mkdir()
    names = [f"1000/{i}" for i in range(10)]
    (corel / "1000").mkdir()
    for name in names:
        (corel / f"{name}.jpeg").write_bytes(name.encode())
    (corel / "corel5k_train_list.txt").write_text("\n".join(names))
    (corel / "corel5k_words.txt").write_text(WORDS)
    rows = "\n".join("1 0" if i % 2 else "0 1" for i in range(10))
    (corel / "corel5k_train_annot.txt").write_text(rows)
    (flickr / "Flickr8k.token.txt").write_text(
        "a.jpg#0\tDogs on the sands .\nb.jpg#0\tA dog .\nc.jpg#0\tA dog by the sea\n"
    )
    (flickr / "Flickr_8k.trainImages.txt").write_text("a.jpg\nb.jpg\n")
    (flickr / "Flickr_8k.devImages.txt").write_text("c.jpg\n")
    for name in "abc":
        (flickr / f"{name}.jpg").write_bytes(name.encode())
    return tmp_path


def test_images_know_the_words_of_their_own_set(root):
    joined = datasets.load(
        "corel5k+flickr8k", "train", data_dir=str(root), caption_tags=1
    )
    assert joined.name == "corel5k+flickr8k"
    # `sands` is Corel's word already; the rows every ninth of Corel are validation's.
    assert joined.words == ("sea", "sand", "dog")
    assert joined.image_ids[-2:] == ("flickr8k/a.jpg", "flickr8k/b.jpg")
    assert joined.image_ids[0] == "corel5k/1000/0"
    np.testing.assert_array_equal(joined.tags[-2:], [[0, 1, 1], [0, 0, 1]])
    np.testing.assert_array_equal(joined.known[-2:], [[False, True, True]] * 2)
    np.testing.assert_array_equal(joined.known[:-2], [[True, True, False]] * 9)
    assert joined.source.read(len(joined) - 1) == b"b"
    assert [part.name for part in joined.parts] == ["corel5k", "flickr8k"]


def test_validation_has_the_words_of_the_training_images(root):
    joined = datasets.load(
        "corel5k+flickr8k", "validation", data_dir=str(root), caption_tags=1
    )
    assert joined.words == ("sea", "sand", "dog")
    assert joined.image_ids == ("corel5k/1000/8", "flickr8k/c.jpg")
    np.testing.assert_array_equal(joined.tags[1], [False, False, True])


def test_without_caption_tags_there_are_no_tags_and_no_captions_of_all(root):
    joined = datasets.load("corel5k+flickr8k", "train", data_dir=str(root))
    assert joined.tags is None
    assert joined.captions is None


def test_rows_that_are_selected_keep_their_knowledge(root):
    joined = datasets.load(
        "corel5k+flickr8k", "train", data_dir=str(root), caption_tags=1
    )
    chosen = joined.select([0, len(joined) - 1])
    np.testing.assert_array_equal(chosen.known, joined.known[[0, -1]])
    assert chosen.parts == ()


def test_a_set_named_twice_or_unknown_is_refused(root):
    with pytest.raises(ValueError, match="named twice: corel5k\\+corel5k"):
        datasets.load("corel5k+corel5k", "train", data_dir=str(root))
    with pytest.raises(ValueError, match="'flickr9k'.*Did you mean flickr8k"):
        check_dataset("corel5k+flickr9k")
