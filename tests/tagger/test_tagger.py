"""The tagger as a Keras model: forms of data, files, refusals, defaults."""

import inspect

import keras
import numpy as np
import pytest
import tensorflow as tf

from annotator.config.tagger import TaggerSettings
from annotator.tagger.tagger import Tagger

WORDS = ("sky", "sea", "größe", "never")
D, R = 5, 6
SMALL = {"components": 4, "codebook": 3}


def some_data(images=40):
    """Regions of images whose words each move a channel of their own."""
    rng = np.random.default_rng(2)
    tags = rng.random((images, len(WORDS))) < 0.4
    tags[:, 3] = False
    regions = rng.normal(size=(images, R, D)) + 2 * tags[:, None, [0, 1, 2, 3, 3]]
    return regions.astype(np.float16), tags


def dataset(regions, tags, batch=32):
    tags = tags.astype(np.int64)
    return tf.data.Dataset.from_tensor_slices((regions, tags)).batch(batch)


@pytest.mark.parametrize("similarity", ["whitened", "l2", "cosine"])
def test_arrays_data_sets_and_files_give_the_same_scores(similarity, tmp_path):
    regions, tags = some_data()
    options = {**SMALL, "similarity": similarity}
    tagger = Tagger(WORDS, **options)
    assert tagger.fit(dataset(regions, tags)) is tagger
    scores = tagger.predict(dataset(regions, tags, 7), verbose=0)
    assert scores.shape == (40, 4) and scores.dtype == np.float32
    for other in (
        Tagger(WORDS, **options).fit(regions, tags),
        Tagger(WORDS, **options).fit(dataset(regions, tags), images=40),
        tagger.fit(some_data(30)[0], some_data(30)[1]).fit(regions, tags),
    ):
        np.testing.assert_allclose(other(regions), scores, rtol=1e-5, atol=1e-5)
    tagger.save(tmp_path / "tagger.keras")
    copy = keras.saving.load_model(tmp_path / "tagger.keras")
    assert copy.get_config() == tagger.get_config()
    np.testing.assert_array_equal(copy(regions), tagger(regions))
    assert tagger.tags(regions, top_k=2) == copy.tags(regions, top_k=2)


def test_tags_are_the_best_words_that_were_ever_learned():
    regions, tags = some_data()
    tagger = Tagger(WORDS, **SMALL).fit(regions, tags)
    scores = tagger(regions).numpy()
    want = [[WORDS[i] for i in row] for row in np.argsort(-scores)[:, :2]]
    assert tagger.tags(regions, top_k=2) == want
    assert {len(words) for words in tagger.tags(regions, top_k=0)} == {3}
    floor = float(np.median(scores[:, :3]))
    few = tagger.tags(regions, threshold=floor)
    assert [len(words) for words in few] == (scores >= floor).sum(axis=1).tolist()
    best = [WORDS.index(words[0]) for words in want]
    tagged = tags.any(axis=1)
    assert np.mean(tags[tagged, np.array(best)[tagged]]) > 0.8


def test_a_tagger_that_is_not_fitted_says_so(tmp_path):
    tagger = Tagger(WORDS, **SMALL)
    tagger.save(tmp_path / "tagger.keras")
    regions, tags = some_data()
    for unfitted in (tagger, keras.saving.load_model(tmp_path / "tagger.keras")):
        with pytest.raises(ValueError, match="not fitted: call fit"):
            unfitted.predict(regions, verbose=0)
    assert unfitted.fit(regions, tags).predict(regions, verbose=0).shape == (40, 4)


def test_what_cannot_be_fitted_is_said():
    regions, tags = some_data()
    pairs = dataset(regions, tags)
    for arguments, told in (
        ((regions, tags[1:]), "40 images, but tags of 39"),
        ((regions, tags[:, 1:]), r"tags of shape \[B, 4\].*\(32, 3\)"),
        ((regions[0], tags[:R]), r"Expected regions \[B, R, D\]"),
        ((iter(pairs),), "more than once"),
        ((pairs.repeat(),), "no end: leave out its repeat"),
        ((pairs.map(lambda x, y: (x, y, x)),), "pairs of"),
        ((regions, np.zeros_like(tags)), "No image carries a word"),
        ((pairs, None, 41), "40 images, not images=41"),
        ((regions[:1, :2], tags[:1]), "components must be between 1 and 2"),
    ):
        with pytest.raises(ValueError, match=told):
            Tagger(WORDS, **SMALL).fit(*arguments)
    with pytest.raises(ValueError, match="of 5 channels, got 4"):
        Tagger(WORDS, **SMALL).fit(regions, tags).fit(regions[..., :4], tags)


def test_its_defaults_are_those_of_a_run():
    defaults = inspect.signature(Tagger).parameters
    settings = TaggerSettings()
    shared = [name for name in defaults if hasattr(settings, name)]
    assert len(shared) == 9
    for name in shared:
        assert defaults[name].default == getattr(settings, name)
