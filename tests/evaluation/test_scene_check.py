"""What a caption of a scene names, by hand and for all scenes that are drawn."""

import numpy as np

from annotator.datasets.shapes.scene import Scene, named_items
from annotator.evaluation.scene_check import share_of_right_captions

REFERENCES = [
    ["a red star is above a blue cross", "a blue cross is below a red star"],
    ["a large green circle on a grey background"],
]


def test_colors_belong_to_the_shapes_behind_them():
    assert named_items(REFERENCES[0][0]) == {("red", "star"): 1, ("blue", "cross"): 1}
    assert named_items("a red circle and a red circle") == {("red", "circle"): 2}
    assert not named_items("a circle of red on grey")


def test_every_caption_of_a_scene_names_all_that_is_in_it():
    rng = np.random.default_rng(0)
    for _ in range(50):
        scene = Scene.random(rng)
        items = {(item.color, item.shape): 1 for item in scene.items}
        for caption in scene.captions():
            assert named_items(caption) == items


def test_a_caption_is_right_if_it_names_these_and_no_others():
    right = ["a blue cross around a red star", "there is a green circle"]
    assert share_of_right_captions(right, REFERENCES) == 1
    swapped = ["a red cross is above a blue star", right[1]]
    assert share_of_right_captions(swapped, REFERENCES) == 0.5
    more = ["a red star", "a green circle and a red star"]
    assert share_of_right_captions(more, REFERENCES) == 0
