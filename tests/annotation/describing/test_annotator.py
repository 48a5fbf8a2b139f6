"""The annotator: the words of `annotate` for whatever stands for an image."""

import io
import json
import pathlib

import numpy as np
import pytest
import tensorflow as tf
from PIL import Image

import annotator
from annotator import Annotator, Description, ImageError
from annotator.annotation.model import AnnotationModel
from annotator.annotation.run import annotate

OPTIONS = {"captions": 2, "top_k": 2, "batch_size": 5}


@pytest.fixture(scope="module")
def loads_once():
    """What is loaded twice, from the same folders by the same options, is one model."""
    load, loaded = AnnotationModel.load, {}

    def load_once(exports, **options):
        folders = sorted((task, str(folder)) for task, (folder, _) in exports.items())
        key = str((folders, sorted(options.items())))
        if key not in loaded:
            loaded[key] = load(exports, **options)
        return loaded[key]

    with pytest.MonkeyPatch.context() as patch:
        patch.setattr(AnnotationModel, "load", load_once)
        yield loaded


@pytest.fixture(scope="module")
def describe(tagger_run, captioner_run, loads_once):
    """A captioner and a tagger, loaded from their workdirs."""
    return annotator.load([tagger_run[0], captioner_run[0]], **OPTIONS)


@pytest.fixture
def light_or_dark(brightness_model):
    return Annotator(brightness_model, batch_size=4, workers=2)


def words(descriptions):
    return [description.tags[0].word for description in descriptions]


def gray(value, shape=(2, 3)):
    return np.full(shape, value, np.uint8)


@pytest.fixture(scope="module")
def described(describe, image_folder):
    """`(names, descriptions)` of the images of a folder, described as one list."""
    names = sorted(map(str, image_folder.glob("*.png")))[:12]
    return names, describe(names)


def test_descriptions_are_the_records_of_annotate(exports, described, tmp_path):
    names, descriptions = described
    listing, output = tmp_path / "list.txt", tmp_path / "o.jsonl"
    listing.write_text("\n".join(names))
    assert annotate(exports, listing, output, **OPTIONS) == (12, 0)
    records = [json.loads(line) for line in output.read_text().splitlines()]
    assert [record["image"] for record in records] == names
    for record, description in zip(records, descriptions, strict=True):
        assert isinstance(description, Description)
        assert description.caption == record["caption"]
        assert description.captions[0].score == record["caption_score"]
        assert len(description.captions) == len(record["captions"]) == 2
        assert list(description.captions) == [
            (each["caption"], each["score"], each["word_probability"])
            for each in record["captions"]
        ]
        assert [tag.word for tag in description.tags] == record["tags"]
        assert [tag.score for tag in description.tags] == record["tag_scores"]


def assert_same(one, other):
    """The same words; scores may differ in what the order of a sum does to them."""
    assert [each.text for each in one.captions] == [c.text for c in other.captions]
    assert [tag.word for tag in one.tags] == [tag.word for tag in other.tags]
    scores = [
        [said.score for said in (*each.captions, *each.tags)] for each in (one, other)
    ]
    np.testing.assert_allclose(*scores, rtol=1e-4)


def test_a_batch_says_what_single_images_say(describe, described):
    for name, description in list(zip(*described, strict=True))[:3]:
        assert_same(describe(name), description)


def test_all_that_stands_for_an_image_says_the_same(describe, described):
    name, description = described[0][0], described[1][0]
    content = pathlib.Path(name).read_bytes()
    with Image.open(name) as opened:
        array = np.asarray(opened)
        images = [pathlib.Path(name), content, bytearray(content), memoryview(content)]
        images += [array, tf.constant(array), opened, Image.fromarray(array)]
        for each in describe(images):
            assert_same(each, description)
        assert_same(describe(opened), description)
    assert_same(describe(array), description)
    assert_same(describe(content), description)


def test_what_is_loaded(tagger_run, image_folder, loads_once):
    version = tagger_run[2][0]
    export = tagger_run[0] / "export"
    said = {
        annotator.load(path)(str(image_folder / "1.png"))
        for path in (tagger_run[0], str(export), version.parent, version)
    }
    (description,) = said
    assert description.caption is None and description.captions == ()
    assert len(description.tags) == 2


@pytest.mark.parametrize(
    ("path", "message"),
    [
        ("nowhere", "nowhere is no exported model: .* Name the workdir of a training"),
        ("", "tmp.* is no exported model"),
    ],
)
def test_a_path_without_a_model_is_named(path, message, tmp_path):
    with pytest.raises(FileNotFoundError, match=message):
        annotator.load(tmp_path / path)


def test_kinds_of_iterables(light_or_dark):
    images = [gray(value) for value in (0, 200, 90, 110, 20, 130)]
    expected = ["dark", "light", "dark", "light", "dark", "light"]
    for several in (images, tuple(images)):
        answer = light_or_dark(several)
        assert type(answer) is list and words(answer) == expected
    for several in (
        iter(images),
        (image for image in images),
        dict(enumerate(images)).values(),
    ):
        answer = light_or_dark(several)
        assert iter(answer) is iter(answer) and words(answer) == expected
    assert words(light_or_dark.iterate(images)) == expected
    assert light_or_dark([]) == [] and list(light_or_dark(iter([]))) == []
    assert words([light_or_dark(images[1])]) == ["light"]


def test_a_generator_is_read_as_it_is_needed(light_or_dark):
    taken = []

    def endless():
        while True:
            taken.append(len(taken))
            yield gray(10 * len(taken) % 250)

    answer = light_or_dark(endless())
    assert not taken
    next(answer)
    # A batch, and what is read and decoded ahead of it: a batch each, and one.
    assert len(taken) <= 3 * 4 + 2
    for _ in range(40):
        next(answer)
    assert len(taken) <= 41 + 3 * 4 + 2


def test_a_buffer_may_be_written_to_again(light_or_dark):
    """As a film's frames come: all in one array, each gone with the next."""
    values = [0, 200, 30, 250, 90, 180, 10]

    def frames():
        buffer = gray(0, (40, 30, 3))
        for value in values:
            buffer[:] = value
            yield buffer

    scores = [d.tags[0].score for d in light_or_dark(frames())]
    np.testing.assert_allclose(scores, values)


def test_files_may_be_closed_again(light_or_dark, gray_images):
    def opened():
        for path in sorted(gray_images.iterdir()):
            with Image.open(path) as image:
                yield image

    scores = [d.tags[0].score for d in light_or_dark(opened())]
    np.testing.assert_allclose(scores, range(0, 250, 10))


def bad_images(folder):
    """Images that cannot be read, and what is said of them behind `images[i]`."""
    cut = io.BytesIO()
    Image.effect_noise((64, 64), 99).save(cut, "PNG")
    return [
        (str(folder / "no.jpg"), f"^{folder}/no.jpg: No such file or directory"),
        (folder, f"^{folder}: A folder, not an image file"),
        (b"", r"\]: Not a JPEG, PNG, GIF, BMP or WebP image"),
        (b"\xff\xd8\xff", r"\]: "),
        (np.zeros((4, 4, 3), np.float32), r"\]: An array of dtype float32"),
        (Image.open(io.BytesIO(cut.getvalue()[:2000])), r"\]: .*truncated"),
        (None, r"\]: NoneType is no image: give a path"),
        (7, r"\]: int is no image"),
        ({"image": "photo.jpg"}, r"\]: dict is no image"),
        (io.BytesIO(b"..."), r"\]: BytesIO is no image"),
    ]


def test_errors_stand_in_their_place(light_or_dark, tmp_path):
    bad = bad_images(tmp_path)
    images = [part for image, _ in bad for part in (image, gray(200))]
    answer = light_or_dark(images, errors="return")
    assert words(answer[1::2]) == ["light"] * len(bad)
    for i, (error, (_, message)) in enumerate(zip(answer[::2], bad, strict=True)):
        assert isinstance(error, ImageError), message
        if message.startswith(r"\]"):
            message = rf"^images\[{2 * i}{message}"
        with pytest.raises(ImageError, match=message):
            raise error


def test_an_error_is_raised_behind_what_came_before(light_or_dark, tmp_path):
    for image, message in bad_images(tmp_path):
        message = message.replace(r"\]", "^image")
        with pytest.raises(ImageError, match=message):
            light_or_dark(image)
        assert isinstance(light_or_dark(image, errors="return"), ImageError)
    with pytest.raises(ImageError, match=r"images\[1\]: Not a"):
        light_or_dark([gray(0), b""])
    answer = light_or_dark(iter([gray(0), gray(200), b"", gray(0)]))
    assert words([next(answer), next(answer)]) == ["dark", "light"]
    with pytest.raises(ImageError, match=r"images\[2\]"):
        next(answer)
    assert list(answer) == []


def test_wrong_options(light_or_dark, brightness_model):
    for images in (gray(0), [gray(0)], iter([])):
        with pytest.raises(ValueError, match="errors must be one of .*got 'ignore'"):
            light_or_dark(images, errors="ignore")
    with pytest.raises(ValueError, match="batch_size must be at least 1, got 0"):
        Annotator(brightness_model, batch_size=0)
    assert light_or_dark.tasks == ("tagger",)
