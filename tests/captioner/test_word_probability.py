"""How probable a caption's words are: fitted, monotone, and said wherever it is."""

import keras
import numpy as np
import pytest
import tensorflow as tf
from scipy.optimize import minimize

from annotator.captioner import (
    BeamSearch,
    GreedySampler,
    WordProbability,
    fit_word_probability,
)
from annotator.captioner.word_probability import mean_log_probs


def log_probs_at(logits):
    return -np.log1p(np.exp(-np.asarray(logits)))


def drawn(slope, offset, captions, seed=0):
    """Captions whose words are hits as a curve says: `(logits, hits, words)`."""
    rng = np.random.default_rng(seed)
    logits = rng.normal(-0.5, 0.5, captions)
    words = rng.integers(0, 8, captions)
    truth = 1 / (1 + np.exp(-slope * logits - offset))
    return logits, rng.binomial(words, truth), words


def test_the_fit_is_the_most_probable_curve():
    logits, hits, words = drawn(1.5, 0.8, 300)
    found = fit_word_probability(log_probs_at(logits), hits, words)
    right, wrong = hits.sum(), (words - hits).sum()
    mean = (words * logits).sum() / words.sum()
    deviation = np.sqrt((words * (logits - mean) ** 2).sum() / words.sum())

    def loss(curve):
        """A word at a time, with Platt's targets."""
        total = (curve[0] * deviation) ** 2 / 2
        for place, k, n in zip(logits, hits, words, strict=True):
            p = 1 / (1 + np.exp(-curve[0] * place - curve[1]))
            for word in range(n):
                target = (right + 1) / (right + 2) if word < k else 1 / (wrong + 2)
                total -= target * np.log(p) + (1 - target) * np.log(1 - p)
        return total

    expected = minimize(loss, [0.0, 0.0]).x
    np.testing.assert_allclose([found.slope, found.offset], expected, rtol=1e-3)


def test_it_is_calibrated_where_the_truth_is_known():
    logits, hits, words = drawn(1.5, 0.8, 20_000)
    found = fit_word_probability(log_probs_at(logits), hits, words)
    fresh = np.linspace(-2, 1, 50)
    truth = 1 / (1 + np.exp(-1.5 * fresh - 0.8))
    said = np.asarray(found(np.float32(log_probs_at(fresh))))
    assert np.abs(said - truth).max() < 0.03


def test_surer_captions_are_never_less_probable():
    logits, hits, words = drawn(1.5, 0.8, 300)
    means = log_probs_at(logits)
    upside_down = fit_word_probability(means, words - hits, words)
    assert upside_down.slope == 0
    share = (words - hits).sum() / words.sum()
    said = np.asarray(upside_down(tf.constant([-2.0, -1.0, -0.1])))
    np.testing.assert_allclose(said, share, atol=0.01)
    fitted = fit_word_probability(means, hits, words)
    said = np.asarray(fitted(tf.constant([-9.0, -2.0, -1.0, -0.1, -0.01, 0.0, 1e-6])))
    assert (np.diff(said)[:-1] > 0).all() and 0 < said[0] and said[-1] == said[-2] <= 1
    with pytest.raises(ValueError, match="slope=-1: it must be 0 or more"):
        WordProbability(-1, 0)


@pytest.mark.parametrize("hits", [0, 3])
def test_few_words_promise_no_certainty(hits):
    found = fit_word_probability([-1.0, -0.5], [hits, hits], [3, 3])
    said = np.asarray(found(tf.constant([-1.0, -0.5])))
    assert ((said > 0.05) & (said < 0.95)).all()
    assert abs(said[1] - said[0]) < 0.1


def test_captions_that_say_nothing_change_nothing():
    logits, hits, words = drawn(1.5, 0.8, 50)
    means = log_probs_at(logits)
    expected = fit_word_probability(means, hits, words).get_config()
    found = fit_word_probability(
        np.append(means, [-np.inf, 0.0]),
        np.append(hits, [2, 0]),
        np.append(words, [2, 0]),
    )
    assert found.get_config() == pytest.approx(expected, rel=1e-6)


def test_what_cannot_be_fitted_is_refused():
    with pytest.raises(ValueError, match=r"of one shape \[N\], got \(2,\), \(1,\)"):
        fit_word_probability([-1, -2], [1], [1])
    with pytest.raises(ValueError, match="more hits than words"):
        fit_word_probability([-1.0], [2], [1])
    with pytest.raises(ValueError, match="nothing to calibrate by"):
        fit_word_probability([-1.0, -np.inf], [0, 1], [0, 1])


def test_the_mean_is_over_words_and_the_end():
    tokens = tf.constant([[1, 5, 6, 2, 0], [1, 5, 2, 0, 0], [1, 2, 0, 0, 0]])
    found = mean_log_probs(tokens, tf.constant([-3.0, -3.0, -np.inf]))
    np.testing.assert_array_equal(found, [-1.0, -1.5, -np.inf])
    assert np.asarray(WordProbability(0.0, 1.0)(found))[2] == 0


def test_a_captioner_says_it_of_all_its_captions(build, regions, tmp_path):
    captioner = build()
    plain = captioner.generate(regions)
    assert not any("probabilit" in name for name in plain)
    captioner.calibrate(WordProbability(0.7, 1.3))
    captioner.save(tmp_path / "captioner.keras")
    loaded = keras.saving.load_model(tmp_path / "captioner.keras")
    assert vars(loaded.word_probability) == vars(captioner.word_probability)
    found = loaded.generate(regions)
    for name, value in plain.items():
        np.testing.assert_array_equal(found[name], value)
    tokens, scores = (plain[f"n_best_{x}"].numpy() for x in ("tokens", "scores"))
    counts = (tokens != 0).sum(-1) - 1  # <start> is none
    p = np.exp(scores * counts**0.7 / counts)  # the sampler's length penalty
    expected = 1 / (1 + np.exp(-0.7 * np.log(p / (1 - p)) - 1.3))
    every = found["n_best_word_probabilities"]
    np.testing.assert_allclose(every, expected, rtol=1e-5)
    np.testing.assert_array_equal(found["word_probabilities"], every[:, 0])
    # An image on its own, and what Keras is told.
    alone = captioner.generate(regions[2:3])["n_best_word_probabilities"]
    np.testing.assert_allclose(alone, every[2:3], rtol=1e-5)
    told = captioner(keras.Input(regions.shape[1:]))
    assert {name: value.shape[1:] for name, value in told.items()} == {
        name: tuple(value.shape[1:]) for name, value in found.items()
    }


def test_it_is_said_only_of_what_it_was_fitted_to(build, regions):
    captioner = build()
    captioner.calibrate(WordProbability(0.7, 1.3))
    for other in ({"sampler": GreedySampler(8)}, {"rerank": False}):
        assert "word_probabilities" not in captioner.generate(regions[:1], **other)
    assert captioner.with_reranker(None).word_probability is None
    captioner.decode_by(BeamSearch.from_config(captioner.sampler.get_config()))
    assert captioner.word_probability is None
