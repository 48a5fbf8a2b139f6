"""Records of images: what is in them."""

import pathlib
import types

import keras
import numpy as np
import pytest
import tensorflow as tf

from annotator.annotation.model import AnnotationModel, _captions
from annotator.annotation.records import _record, csv_row, records
from annotator.captioner import GreedySampler
from annotator.export.versions import find_exports


@pytest.fixture(scope="module")
def model(exports):
    return AnnotationModel.load(find_exports(exports))


@pytest.fixture(scope="module")
def pairs(image_folder):
    return [(p.name, p.read_bytes()) for p in sorted(image_folder.glob("1*.png"))]


def test_records_say_what_each_export_says_alone(
    tagger_run, captioner_run, load_export, model, pairs
):
    described = list(records(model, pairs, batch_size=4))
    assert [r["image"] for r in described] == [name for name, _ in pairs]
    encoded = tf.constant([content for _, content in pairs])
    pixels = np.stack([tf.io.decode_image(content).numpy() for _, content in pairs])
    for (saved_model, keras_file), key, one in (
        (tagger_run[2], "tags", lambda r: r["tags"]),
        (captioner_run[2], "captions", lambda r: r["caption"]),
    ):
        served = load_export(saved_model).signatures["serving_default"]
        served = served(image_bytes=encoded)
        scripted = keras.saving.load_model(keras_file).predict(pixels, verbose=0)
        for alone in (served, scripted):
            texts = [np.char.decode(np.asarray(row, bytes)) for row in alone[key]]
            assert [one(r) for r in described] == [text.tolist() for text in texts]
            score = "caption_score" if key == "captions" else "tag_scores"
            np.testing.assert_allclose(
                [r[score] for r in described], np.asarray(alone["scores"]), rtol=1e-4
            )


def test_batches_and_workers_change_nothing(model, pairs):
    expected = list(records(model, pairs, batch_size=4, workers=1))
    found = list(records(model, iter(pairs), batch_size=7, workers=5))
    # Sums of batches of other sizes may be added up in another order.
    numbers = ("caption_score", "caption_word_probability")
    numbers += ("tag_scores", "tag_probabilities")
    for one, other in zip(expected, found, strict=True):
        for name in one:
            if name in numbers:
                np.testing.assert_allclose(one[name], other[name], rtol=1e-4)
            else:
                assert one[name] == other[name]


def test_captions_and_tags_as_many_as_asked_for(exports, pairs):
    model = AnnotationModel.load(find_exports(exports), captions=4, top_k=0)
    for record in records(model, pairs[:3]):
        scores = [each["score"] for each in record["captions"]]
        assert len(scores) == 4 and scores == sorted(scores, reverse=True)
        assert record["captions"][0] == {
            "caption": record["caption"],
            "score": record["caption_score"],
            "word_probability": record["caption_word_probability"],
        }
        assert all(0 < each["word_probability"] < 1 for each in record["captions"])
        assert len({each["caption"] for each in record["captions"]}) == 4
        assert sorted(record["tags"]) == ["blue", "green", "red"]
    cut = sorted(record["tag_scores"])[1]
    model = AnnotationModel.load(
        find_exports(exports[:1]), top_k=0, threshold=cut - 1e-4
    )
    (again,) = records(model, [pairs[2]])
    assert set(again) == {"image", "tags", "tag_scores", "tag_probabilities"}
    np.testing.assert_allclose(
        again["tag_probabilities"], record["tag_probabilities"][:2], rtol=1e-4
    )
    assert again["tags"] == record["tags"][:2]


def test_a_captioner_that_was_not_calibrated_says_no_probability():
    """One of an earlier version's export: how sure it was is not passed off as one."""
    found = {
        "n_best_captions": tf.constant([["a dog"]]),
        "n_best_scores": tf.constant([[-1.5]]),
        "n_best_tokens": tf.constant([[[1, 4, 5, 2]]]),
    }
    captioner = types.SimpleNamespace(
        sampler=GreedySampler(3),
        set_jit_compile=lambda enabled: None,
        generate=lambda regions, sampler: found,
    )
    outputs = _captions(captioner, 1)(None)
    of_image = {name: value.numpy()[0] for name, value in outputs.items()}
    record = _record("a.jpg", {"captioner": of_image})
    expected = {"image": "a.jpg", "caption": "a dog", "caption_score": -1.5}
    assert record == {**expected, "caption_word_probability": None}


def test_errors_stand_in_their_place(brightness_model, gray_images):
    names = sorted(map(str, gray_images.iterdir()))
    pairs = [(name, pathlib.Path(name).read_bytes()) for name in names[:9]]
    pairs[0] = "empty", b""
    pairs[3] = "gone", FileNotFoundError(2, "No such file or directory")
    pairs[4:6] = [("text", b'some "text"\xff here'), ("bad", b"GIF89a")]
    described = list(records(brightness_model, pairs, batch_size=2))
    assert [r["image"] for r in described] == [name for name, _ in pairs]
    failed = {r["image"]: r["error"] for r in described if "error" in r}
    assert list(failed) == ["empty", "gone", "text", "bad"]
    assert failed["empty"].startswith("Not a JPEG, PNG, GIF, BMP or WebP image; ")
    assert failed["empty"].endswith("its length in bytes is 0")
    assert failed["gone"] == "No such file or directory"
    assert 'it begins with some "text"\N{REPLACEMENT CHARACTER}' in failed["text"]
    assert "GIF" in failed["bad"]
    scores = [r["tag_scores"][0] for r in described if "error" not in r]
    assert scores == [10, 20, 60, 70, 80]


def test_csv_has_columns_for_all_captions():
    record = {
        "image": "a",
        "caption": "x",
        "caption_score": -1.0,
        "captions": [{"caption": "x", "score": -1.0}, {"caption": "y", "score": -2.0}],
    }
    row = csv_row(record, ("captioner",), 3)
    assert row == {
        "image": "a",
        "caption": "x",
        "caption_score": -1.0,
        "caption_word_probability": None,
        "caption_2": "y",
        "caption_2_score": -2.0,
        "caption_3": None,
        "caption_3_score": None,
        "error": None,
    }
    failed = csv_row({"image": "b", "error": "e"}, ("captioner",), 3)
    assert list(failed) == list(row) and failed["error"] == "e"
