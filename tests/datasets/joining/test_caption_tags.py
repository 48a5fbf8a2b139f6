"""Tags from captions: stems, stop words, counts and the names of tags."""

import numpy as np
import pytest

from annotator.datasets.annotated_images import AnnotatedImages
from annotator.datasets.image_files import ImageFiles
from annotator.datasets.joining.caption_tags import tag_by_captions


def images(*captions, split="train", name="set"):
    ids = tuple(f"{split}{i}.png" for i in range(len(captions)))
    return AnnotatedImages(
        name=name,
        split=split,
        image_ids=ids,
        source=ImageFiles([f"/{i}" for i in ids]),
        captions=tuple(tuple(texts) for texts in captions),
    )


TRAIN = images(
    ["A dog jumps .", "The dogs are jumping!"],
    ["Two dogs near a T-shirt"],
    ["A DOG and a cat"],
    ["a cat's jump"],
)


def test_tags_are_the_frequent_stems_as_they_are_mostly_written():
    tagged = tag_by_captions(TRAIN, TRAIN, 2)
    # dog: images 0, 1, 2; cat: 2, 3; jump: 0, 3. `dog` and `dogs` are on two images
    # each, `cat` on two, each form of jump on one: the alphabet decides.
    assert tagged.words == ("dog", "cat", "jump")
    expected = [[1, 0, 1], [1, 0, 0], [1, 1, 0], [0, 1, 1]]
    np.testing.assert_array_equal(tagged.tags, np.array(expected, bool))
    assert tagged.captions == TRAIN.captions


def test_words_that_name_nothing_to_be_seen_are_no_tags():
    words = set(tag_by_captions(TRAIN, TRAIN, 1).words)
    assert words == {"dog", "cat", "jump", "t-shirt"}
    taken = images(["Someone is taking a picture of a man, who goes past"])
    assert tag_by_captions(taken, taken, 1).words == ("man",)


def test_other_splits_get_the_words_of_the_training_images():
    test = images(["dogs and horses"], ["nothing"], split="test")
    tagged = tag_by_captions(test, TRAIN, 2)
    assert tagged.words == ("dog", "cat", "jump")
    np.testing.assert_array_equal(tagged.tags, [[True, False, False], [False] * 3])


def test_a_known_word_names_the_tag_of_its_stem():
    tagged = tag_by_captions(TRAIN, TRAIN, 2, ["cats", "horses"])
    assert tagged.words == ("dog", "cats", "jump")


def test_too_few_images_and_no_captions_are_named():
    with pytest.raises(ValueError, match="on 9 images of set train.*--caption_tags"):
        tag_by_captions(TRAIN, TRAIN, 9)
    bare = AnnotatedImages("bare", "train", ("a",), ImageFiles(["/a"]))
    with pytest.raises(ValueError, match="bare train has no captions"):
        tag_by_captions(bare, bare, 1)
