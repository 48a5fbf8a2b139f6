"""The model that annotates: which options need which export."""

import numpy as np
import pytest
import tensorflow as tf

from annotator.annotation import model as model_module
from annotator.annotation.model import AnnotationModel
from annotator.annotation.preset_models import held_out_precision
from annotator.export.versions import find_exports
from annotator.tagger.rules.held_out_precision import HeldOutPrecision
from annotator.tagger.rules.word_rules import WordRules


@pytest.mark.parametrize(
    ("which", "options", "message"),
    [
        (1, {"top_k": 2}, "--top_k and --threshold need a tagger"),
        (0, {"captions": 2}, "--captions=2 needs a captioner"),
        (1, {"captions": 0}, "at least 1, got 0"),
        (1, {"words": WordRules()}, "--words needs a tagger"),
    ],
)
def test_options_without_their_model(which, options, message, exports):
    one = find_exports([exports[which]])
    with pytest.raises(ValueError, match=message):
        AnnotationModel.load(one, **options)


@pytest.fixture(scope="module")
def plain(exports):
    """A tagger that gives every word it knows."""
    return AnnotationModel.load(find_exports([exports[0] / "tagger"]), top_k=0)


def test_rules_on_words_name_and_leave_out_what_was_learned(exports, plain):
    tagger = find_exports([exports[0] / "tagger"])
    rules = WordRules(exclude=("red",), translate=(("green", "grün"),))
    ruled = AnnotationModel.load(tagger, top_k=0, words=rules)
    images = np.random.default_rng(0).integers(0, 256, (3, 32, 32, 3))
    views = [tf.constant(images, tf.float32) for _ in plain.resizes]
    for before, after in zip(_words(plain(views)), _words(ruled(views)), strict=True):
        before.pop("red")
        before["grün"] = before.pop("green")
        assert after == before


def test_promised_words_are_given_above_their_thresholds(exports, plain, monkeypatch):
    """The counts come from training; six images promise nothing, so more stand in."""
    tagger = find_exports([exports[0] / "tagger"])
    folder, manifest = tagger["tagger"]
    assert held_out_precision(folder, manifest).scores.shape[0] == 3
    with pytest.raises(ValueError, match="--precision=0.9: no word of"):
        AnnotationModel.load(tagger, precision=0.9)
    with pytest.raises(ValueError, match="either --threshold or --precision"):
        AnnotationModel.load(tagger, precision=0.9, threshold=0.0)
    images = np.random.default_rng(0).integers(0, 256, (6, 32, 32, 3))
    views = [tf.constant(images, tf.float32) for _ in plain.resizes]
    before = list(_words(plain(views)))
    green = sorted(words["green"] for words in before)
    scores = np.full((3, 1), np.inf, np.float32)
    place = manifest["words"].index("green")
    scores[place] = green[2]
    counts = HeldOutPrecision(np.array([200]), scores, np.full((3, 1), 200))
    monkeypatch.setattr(model_module, "held_out_precision", lambda *_: counts)
    with pytest.warns(UserWarning, match="1 of the tagger's 3 words .* blue, red"):
        promised = AnnotationModel.load(tagger, precision=0.9)
    for all_words, given in zip(before, _words(promised(views)), strict=True):
        given.pop("", None)
        expected = (
            {"green": all_words["green"]} if all_words["green"] > green[2] else {}
        )
        assert given == expected


def _words(outputs):
    """Dicts from word to score, an image each."""
    rows = zip(
        *(outputs["tagger"][key].numpy() for key in ("tags", "scores")), strict=True
    )
    for tags, scores in rows:
        yield dict(zip((tag.decode() for tag in tags), scores.tolist(), strict=True))
