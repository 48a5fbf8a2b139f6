"""Descriptions: made of records, and read by people."""

import copy

import pytest

from annotator.annotation.describing.description import (
    Description,
    ImageError,
    ScoredCaption,
    ScoredTag,
)

CAPTION = {"image": "a", "caption": "a wall", "caption_score": -1.23456}
RUNNERS_UP = [
    {"caption": "a wall", "score": -1.23456},
    {"caption": "walls", "score": -2.0},
]
TAGS = {"image": "a", "tags": ["red", "blue"], "tag_scores": [0.51234, 0.25]}


@pytest.mark.parametrize(
    ("record", "description", "text"),
    [
        (
            CAPTION,
            Description("a wall", (ScoredCaption("a wall", -1.23456),)),
            "a wall",
        ),
        (
            {**CAPTION, "captions": RUNNERS_UP},
            Description("a wall", (("a wall", -1.23456, None), ("walls", -2.0, None))),
            "a wall (-1.23)\nwalls (-2)",
        ),
        (
            TAGS,
            Description(None, (), (ScoredTag("red", 0.51234), ScoredTag("blue", 0.25))),
            "tags: red 0.512, blue 0.25",
        ),
        (
            {**TAGS, **CAPTION},
            Description(
                "a wall",
                (("a wall", -1.23456, None),),
                (("red", 0.51234, None), ("blue", 0.25, None)),
            ),
            "a wall\ntags: red 0.512, blue 0.25",
        ),
        (
            {**TAGS, "tag_probabilities": [0.934, 0.06]},
            Description(None, (), (("red", 0.51234, 0.934), ("blue", 0.25, 0.06))),
            "tags: red 0.93, blue 0.06",
        ),
        (
            {
                **CAPTION,
                "captions": [{**x, "word_probability": 0.4} for x in RUNNERS_UP],
            },
            Description("a wall", (("a wall", -1.23456, 0.4), ("walls", -2.0, 0.4))),
            "a wall (a word is 0.40 probable)\nwalls (a word is 0.40 probable)",
        ),
        ({"image": "a", "tags": [], "tag_scores": []}, Description(), "(no tags)"),
        # A search that ended in nothing.
        ({**CAPTION, "caption": "", "caption_score": None}, Description(""), ""),
    ],
)
def test_a_description_is_its_record(record, description, text):
    made = Description.from_record(record)
    assert made == description and hash(made) == hash(description)
    assert str(made).strip("\n") == text or not text
    for caption in made.captions:
        assert caption.text in str(made)
    for tag in made.tags:
        assert (tag.word, tag.score, tag.probability) == tag


def test_an_error_names_its_image_and_survives_another_process():
    # By the protocol that processes use, too.
    error = copy.deepcopy(ImageError("photo.jpg", "empty"))
    assert isinstance(error, ValueError) and str(error) == "photo.jpg: empty"
    assert (error.image, error.reason) == ("photo.jpg", "empty")
