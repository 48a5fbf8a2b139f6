import io

import numpy as np
import pytest
from PIL import Image

from annotator import datasets
from annotator.datasets.shapes.reader import Shapes
from annotator.datasets.shapes.scene import BACKGROUNDS, SHAPES, TAGS, Item, Scene


@pytest.fixture(scope="module")
def cache_dir(tmp_path_factory):
    return str(tmp_path_factory.mktemp("cache"))


def load(cache_dir, split):
    return datasets.load("shapes", split, cache_dir=cache_dir, config="tiny")


def encoded(images, start=0):
    return [data.numpy() for _, data in images.encoded_images(start)]


def test_splits(cache_dir):
    sizes = {split: len(load(cache_dir, split)) for split in ("train", "test")}
    assert sizes == {"train": 24, "test": 8}
    validation = load(cache_dir, "validation")
    assert validation.image_ids[0] == "validation-00000"
    assert validation.image_ids[7] == "validation-00007"
    assert validation.words == TAGS
    assert validation.tags.shape == (8, 17)
    assert all(len(captions) == 5 for captions in validation.captions)


def test_images_are_stored_png_files(cache_dir):
    images = load(cache_dir, "test")
    pictures = [Image.open(io.BytesIO(data)) for data in encoded(images)]
    assert {picture.format for picture in pictures} == {"PNG"}
    assert {picture.size for picture in pictures} == {(80, 80)}
    assert {picture.mode for picture in pictures} == {"RGB"}


def test_rows_of_annotations_and_pixels_agree(cache_dir):
    images = load(cache_dir, "test")
    for row, data in enumerate(encoded(images)):
        rng = np.random.default_rng([0, 2, row])
        scene = Scene.random(rng)
        np.testing.assert_array_equal(
            np.asarray(Image.open(io.BytesIO(data))), np.asarray(scene.draw(80, rng))
        )
        assert images.captions[row] == scene.captions()
        tags = np.array(images.words)[images.tags[row]]
        assert tuple(tags) == scene.tags()


def test_drawn_again_it_is_the_same(cache_dir, tmp_path):
    first, second = load(cache_dir, "train"), load(str(tmp_path), "train")
    assert encoded(first) == encoded(second)
    assert first.captions == second.captions
    assert first.fingerprint() == second.fingerprint()
    assert first.fingerprint() != load(cache_dir, "test").fingerprint()


def test_fingerprint_follows_the_pixels(cache_dir, tmp_path, monkeypatch):
    # The same version, ids and number of scenes, but another drawing.
    monkeypatch.setitem(BACKGROUNDS, "white", (200, 100, 100))
    changed = load(str(tmp_path), "train")
    assert changed.image_ids == load(cache_dir, "train").image_ids
    assert changed.fingerprint() != load(cache_dir, "train").fingerprint()


def test_start_and_select(cache_dir):
    images = load(cache_dir, "train")
    everything = encoded(images)
    assert encoded(images, 20) == everything[20:]
    assert encoded(images, 24) == []
    chosen = images.select([2, 3, 11])
    assert chosen.image_ids == ("train-00002", "train-00003", "train-00011")
    assert encoded(chosen) == [everything[row] for row in (2, 3, 11)]
    assert encoded(chosen, 1) == [everything[row] for row in (3, 11)]
    assert encoded(chosen.select([0, 2])) == [everything[row] for row in (2, 11)]
    with pytest.raises(ValueError, match="must increase.*sort them"):
        images.select([3, 2])


def test_a_second_load_draws_nothing(cache_dir, monkeypatch):
    load(cache_dir, "train")

    def fail(*_):
        raise AssertionError("drawn again")

    monkeypatch.setattr(Shapes, "_generate_examples", fail)
    assert len(load(cache_dir, "train")) == 24


def test_unknown_config(tmp_path):
    with pytest.raises(ValueError, match="no config 'huge'; known: default, tiny"):
        datasets.load("shapes", "train", cache_dir=str(tmp_path), config="huge")


def scenes(count=300):
    return [Scene.random(np.random.default_rng(seed)) for seed in range(count)]


def test_scenes_are_unambiguous():
    for scene in scenes():
        names = [str(item) for item in scene.items]
        assert len(set(names)) == len(names)
        for item in scene.items:
            assert 0 < item.x - item.radius and item.x + item.radius < 1
            assert 0 < item.y - item.radius and item.y + item.radius < 1
        if scene.arrangement == "beside":
            left, right = scene.items
            assert left.x + 0.3 < right.x
        if scene.arrangement == "above":
            top, bottom = scene.items
            assert top.y + 0.3 < bottom.y
        if scene.arrangement == "inside":
            inner, outer = scene.items
            assert inner.color != outer.color
            assert inner.radius < outer.radius / 2


def test_every_tag_and_a_small_vocabulary_occur():
    tags = {tag for scene in scenes() for tag in scene.tags()}
    assert tags == set(TAGS)
    words = {
        word
        for scene in scenes()
        for caption in scene.captions()
        for word in caption.split()
    }
    assert 35 <= len(words) <= 45


def test_captions_and_tags_by_hand():
    def item(color, shape):
        return Item(color, shape, 0.5, 0.5, 0.1, 0.0)

    circle, star = item("red", "circle"), item("blue", "star")
    beside = Scene((circle, star), "beside", "grey")
    assert beside.captions() == (
        "a red circle is to the left of a blue star",
        "there is a red circle to the left of a blue star",
        "the picture shows a red circle to the left of a blue star",
        "a red circle to the left of a blue star on a grey background",
        "a blue star is to the right of a red circle",
    )
    assert beside.tags() == ("red", "blue", "circle", "star", "beside")
    inside = Scene((circle, star), "inside", "grey")
    assert inside.captions()[4] == "a large blue star is around a small red circle"
    assert inside.tags()[-3:] == ("large", "small", "inside")
    single = Scene((star,), "single", "black", size="small")
    assert single.captions()[0] == "a small blue star on a black background"
    assert single.tags() == ("blue", "star", "small")
    cross = item("green", "cross")
    column = Scene((circle, star, cross), "between", "white", vertical=True)
    assert column.captions()[0] == (
        "a blue star is between a red circle and a green cross"
    )
    assert column.captions()[4] == (
        "a column of a red circle , a blue star and a green cross"
    )


@pytest.mark.parametrize("shape", SHAPES)
def test_what_is_drawn_has_the_color_and_place(shape):
    scene = Scene((Item("red", shape, 0.3, 0.6, 0.2, 0.0),), "single", "white", "large")
    pixels = np.asarray(scene.draw(100, np.random.default_rng(0)), int)
    red, green, blue = pixels[60, 30]
    assert red > 180 and green < 90 and blue < 90
    assert pixels[10, 90].min() > 220
    is_red = (pixels[..., 0] - pixels[..., 1]) > 100
    rows, columns = np.nonzero(is_red)
    assert abs(columns.mean() - 30) < 2
    assert abs(rows.mean() - 60) < 4
