"""Real exports behind the page: vectors, captions, attention, and who can be taught."""

import json
import shutil

import numpy as np
import pytest

import annotator
from annotator.export.versions import MANIFEST, TEACHING
from annotator.review.photograph_encoder import PhotographEncoder
from annotator.tagger.taught_words import TaughtWords


@pytest.fixture(scope="module")
def encoder(tagger_run, captioner_run):
    return PhotographEncoder([tagger_run[0], captioner_run[0]])


def contents(image_folder, numbers):
    return [(str(n), (image_folder / f"{n}.png").read_bytes()) for n in numbers]


def test_untaught_words_are_those_of_the_tagger(encoder, image_folder, tagger_run):
    """The vector has 68 numbers here, so nothing of the metric is left out."""
    pairs = contents(image_folder, range(24, 36))
    encoded = list(encoder.encode([*pairs, ("broken", b"no image")]))
    assert encoded[-1].vector is None and "image" in encoded[-1].error
    vectors = np.stack([each.vector for each in encoded[:-1]])
    assert vectors.dtype == np.float16 and len(encoder.basis.words) == 3
    words = TaughtWords(encoder.basis, base_images=None)
    kernel, bias = words.linear()
    scores = np.float32(vectors) @ kernel + bias + words.lifts(vectors)
    describe = annotator.load(tagger_run[0])
    for row, description in zip(
        scores, describe([content for _, content in pairs]), strict=True
    ):
        for tag in description.tags:
            place = encoder.basis.words.index(tag.word)
            assert row[place] == pytest.approx(tag.score, abs=0.05)
    assert all(each.caption for each in encoded[:-1])


def test_attention_has_a_map_for_each_word(encoder, image_folder):
    ((_, content),) = contents(image_folder, [3])
    (encoded,) = encoder.encode([("it", content)])
    words, maps = encoder.attention(content)
    assert words == encoded.caption.split() and maps.shape == (len(words), 4, 4)
    np.testing.assert_allclose(maps.max(axis=(1, 2)), 1)
    with pytest.raises(ValueError, match="image"):
        encoder.attention(b"no image")


def test_models_are_told_apart(encoder, tagger_run):
    alone = PhotographEncoder([tagger_run[0]])
    assert alone.id != encoder.id and not alone.has_captions
    assert alone.id == PhotographEncoder([tagger_run[0]]).id
    with pytest.raises(ValueError, match="no captioner"):
        alone.attention(b"")


def test_what_cannot_be_taught_is_named(tagger_run, captioner_run, tmp_path):
    with pytest.raises(ValueError, match="needs a tagger"):
        PhotographEncoder([captioner_run[0]])
    old = shutil.copytree(tagger_run[0] / "export", tmp_path / "export")
    (version,) = [p for p in (old / "tagger").iterdir() if p.name.isdigit()][:1]
    manifest = json.loads((version / MANIFEST).read_text())
    del manifest["files"][str(MANIFEST.with_name(TEACHING))]
    (version / MANIFEST).write_text(json.dumps(manifest))
    (version / MANIFEST.with_name(TEACHING)).unlink()
    with pytest.raises(ValueError, match="cannot be taught.*training command again"):
        PhotographEncoder([old / "tagger" / version.name])
