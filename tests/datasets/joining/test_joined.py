"""Splits joined to one: images, tags and captions stay with each other."""

import dataclasses

import numpy as np
import pytest

from annotator import datasets
from annotator.datasets.joining.joined import join


def joined_and_parts(image_folder, *splits):
    parts = [
        datasets.load("folder", split, data_dir=str(image_folder)) for split in splits
    ]
    return join("+".join(splits), parts), parts


def contents(annotated, start=0):
    return [image.numpy() for _, image in annotated.encoded_images(start)]


def test_rows_of_all_parts_one_after_the_other(image_folder):
    joined, (test, validation) = joined_and_parts(image_folder, "test", "validation")
    assert (joined.name, joined.split) == ("folder", "test+validation")
    assert joined.image_ids == test.image_ids + validation.image_ids
    assert joined.captions == test.captions + validation.captions
    assert joined.words == test.words
    np.testing.assert_array_equal(joined.tags, [*test.tags, *validation.tags])
    expected = [(image_folder / name).read_bytes() for name in joined.image_ids]
    assert contents(joined) == expected
    for start in (3, 6, 8, 12):
        assert contents(joined, start) == expected[start:]
    assert [joined.source.read(row) for row in range(12)] == expected
    states = [*test.source.states(), *validation.source.states()]
    assert list(joined.source.states()) == states
    assert joined.fingerprint() != test.fingerprint()


@pytest.mark.parametrize("rows", [[0, 5, 6, 11], [7, 2, 8, 1], [4], [9, 10], []])
def test_select(rows, image_folder):
    joined, _ = joined_and_parts(image_folder, "test", "validation")
    chosen = joined.select(rows).select(np.arange(len(rows)))
    assert chosen.image_ids == tuple(joined.image_ids[row] for row in rows)
    assert contents(chosen) == [joined.source.read(row) for row in rows]


def test_words_of_one_part_alone(image_folder):
    _, (test, validation) = joined_and_parts(image_folder, "test", "validation")
    test = dataclasses.replace(test, words=("green", "sky"), tags=test.tags[:, :2])
    joined = join("both", [test, validation])
    assert joined.words == ("green", "sky", "blue", "red")
    np.testing.assert_array_equal(joined.tags[:6, :2], test.tags)
    assert not joined.tags[:6, 2:].any() and not joined.tags[6:, 1].any()
    columns = [joined.words.index(word) for word in validation.words]
    np.testing.assert_array_equal(joined.tags[6:, columns], validation.tags)
    captioned = dataclasses.replace(validation, tags=None, words=())
    assert join("both", [test, captioned]).tags is None


def test_an_image_in_two_parts_is_refused(image_folder):
    with pytest.raises(ValueError, match="'30.png' occurs twice"):
        joined_and_parts(image_folder, "test", "test")


def test_the_registry_joins_what_a_reader_does_not(tmp_path):
    def load(split):
        return datasets.load("shapes", split, cache_dir=str(tmp_path), config="tiny")

    both, train = load("test+train"), load("train")
    assert len(both) == 8 + 24 and both.split == "test+train"
    assert contents(both, 8) == contents(train)
    chosen = both.select([3, 8, 30])
    assert chosen.image_ids[1] == train.image_ids[0]
    assert contents(chosen)[1:] == [contents(train)[row] for row in (0, 22)]
    for split in ("train+train", "train+dev", "+train", "train+"):
        with pytest.raises(ValueError, match=": train, validation, test, and several"):
            load(split)


def test_a_split_that_its_reader_joins_is_left_to_it(image_folder):
    both = datasets.load("folder", "train+validation", data_dir=str(image_folder))
    assert not hasattr(both.source, "sources") and len(both) == 30
