"""What evaluation writes: ids as COCO's tools want them, a file for each picture."""

import json
import types

import numpy as np
import pytest
import tensorflow as tf
from PIL import Image

from annotator.config import Config
from annotator.evaluation import captioning
from annotator.evaluation.pictures import draw_attention
from annotator.evaluation.scores import score_captioner, score_tagger
from annotator.evaluation.tables import caption_table
from annotator.metrics import captions as caption_metrics
from annotator.metrics.meteor import METEOR_15, METEOR_NLTK
from annotator.runs.run import Run


class _Split:
    """Stands for a `Split` of images with one caption each."""

    def __init__(self, image_ids, words=()):
        self.annotated = types.SimpleNamespace(
            image_ids=image_ids, captions=[["a dog"] for _ in image_ids], words=words
        )

    def __len__(self):
        return len(self.annotated.image_ids)

    def regions(self, batch_size):
        return [None]

    def select(self, rows):
        return _Split(tuple(self.annotated.image_ids[row] for row in rows))


def run_of(split, workdir, **settings):
    """A `Run` whose splits are all `split`."""
    run = Run(Config(**settings), workdir)
    run.split = lambda task, name: split
    return run


@pytest.fixture(autouse=True)
def stand_ins(monkeypatch):
    def draw(captioner, split):
        for row, image_id in enumerate(split.annotated.image_ids):
            yield image_id, Image.fromarray(np.full((2, 2, 3), row, np.uint8))

    scores = caption_metrics.score_captions
    monkeypatch.setattr(Run, "tagger", lambda run: None)
    monkeypatch.setattr(Run, "captioner", lambda run: None)
    said = captioning.SaidCaptions(["a dog", "a cat"], np.float32([-1, -2]), 0.5)
    monkeypatch.setattr(captioning, "describe_split", lambda *_: said)
    monkeypatch.setattr(captioning, "attention_pictures", draw)
    monkeypatch.setattr(
        caption_metrics,
        "score_captions",
        lambda *args, **options: scores(*args, **{**options, "meteor": "none"}),
    )


@pytest.mark.parametrize(
    "image_ids, expected",
    [
        (("500", "7"), [500, 7]),
        (("0", "12345678901234"), [0, 12345678901234]),
        (("500", "a.jpg"), ["500", "a.jpg"]),
        (("500", "007"), ["500", "007"]),  # as numbers, 7 and 007 would be one
        (("500", "-7"), ["500", "-7"]),
        (("500", "\u0667"), ["500", "\u0667"]),  # a digit, but of another script
    ],
)
def test_captions_are_written_with_numbers_as_ids_where_all_are(
    image_ids, expected, tmp_path
):
    score_captioner(run_of(_Split(image_ids), tmp_path), "test", False)
    written = json.loads((tmp_path / "metrics" / "test_captions.json").read_text())
    assert written == [
        {"image_id": image_id, "caption": caption}
        for image_id, caption in zip(expected, ["a dog", "a cat"], strict=True)
    ]
    assert [type(item["image_id"]) for item in written] == [
        type(image_id) for image_id in expected
    ]


def test_unknown_words_come_with_a_remedy(tmp_path):
    (tmp_path / "tagger").mkdir()
    (tmp_path / "tagger" / "words.json").write_text('["sea"]')
    split = _Split(("1", "2"), ("sea", "zebra", "cow"))
    with pytest.raises(ValueError, match=r"\['cow', 'zebra'\].*--extend=/.*--workdir"):
        score_tagger(run_of(split, tmp_path), "test", False)


def test_each_image_has_an_attention_picture_of_its_own(tmp_path):
    image_ids = ("a/1.jpg", "b/1.jpg", "a_1.jpg", "1.jpg", "1.png", "../1.jpg", "1-2")
    expected = ("a_1", "b_1", "a_1-2", "1", "1-2", "1-3", "1-2-2")
    draw_attention(run_of(_Split(image_ids), tmp_path), "test", len(image_ids))
    folder = tmp_path / "pictures" / "test_attention"
    assert len(list(folder.iterdir())) == len(image_ids)
    for row, name in enumerate(expected):
        with Image.open(folder / f"{name}.png") as picture:
            assert picture.getpixel((0, 0)) == (row, row, row)


@pytest.mark.parametrize("split", ["test", "validation"])
def test_published_rows_say_what_they_are_of(split, tmp_path):
    images = _Split(("a.jpg", "b.jpg"))
    run = run_of(images, tmp_path, dataset="flickr8k")
    table = score_captioner(run, split, True).table
    assert "4 layers, feedback (the paper)" in table and "24.80" in table
    assert ("of the official test split, this run's of its" in table) == (
        split == "validation"
    )
    run = run_of(images, tmp_path, dataset="folder")
    table = score_captioner(run, split, True).table
    assert "nothing was published for this data set" in table


def test_meteors_of_two_dialects_do_not_share_a_column(tmp_path):
    scores = {f"bleu_{n}": 0.5 for n in range(1, 5)}
    scores |= {"meteor": 0.4, "cider": None, "rouge_l": None, "intervals": {}}
    scores |= {"images": 2, "tokenization": "given", "missing": {}, "mean_length": 2.0}
    scores |= {"distinct_captions": 1.0, "most_common_caption": 0.5}
    scores |= {"longest_repetition": 1, "distinct_1": 0.1, "distinct_2": 0.2}
    scores["intervals"] = {name: (0, 1) for name in (*list(scores)[:4], "meteor")}
    rows = [("the paper", {"bleu_4": 24.8, "meteor": 21.5})]
    for dialect, shown in (
        (METEOR_15, True),
        (METEOR_NLTK, False),
    ):
        scores["meteor_dialect"] = dialect
        table = caption_table(scores, rows)
        assert "24.80" in table and ("21.50" in table) is shown


def test_a_graph_of_attention_is_made_once_for_a_training():
    traced = []

    def generate(some, return_attention):
        traced.append(return_attention)
        return {"attention": 2 * some}

    captioner = types.SimpleNamespace(generate=generate)
    explain = captioning.explain_function(captioner)
    maps = np.float32(range(5))[:, None]
    regions = tf.data.Dataset.from_tensor_slices(maps).batch(2)
    for _ in range(2):
        details = captioning.attention_details(captioner, regions, explain)
        found = [each["attention"] for each in details]
        np.testing.assert_array_equal(found, 2 * maps)
    assert traced == [True]
