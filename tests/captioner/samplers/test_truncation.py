import numpy as np
import pytest
import tensorflow as tf

from annotator.captioner.samplers.random import RandomSampler
from annotator.captioner.samplers.truncation import Truncation

# Log probabilities of 0.5, 0.1, 0.3, 0.1; and of 0, 0.7, 0.1, 0.2.
CHANCES = np.array([[0.5, 0.1, 0.3, 0.1], [0.0, 0.7, 0.1, 0.2]], np.float32)


def logits():
    with np.errstate(divide="ignore"):
        return tf.constant(np.log(CHANCES) + 3)


@pytest.mark.parametrize(
    ("options", "kept"),
    [
        ({}, [[1, 1, 1, 1], [0, 1, 1, 1]]),
        ({"top_k": 1}, [[1, 0, 0, 0], [0, 1, 0, 0]]),
        ({"top_k": 3}, [[1, 1, 1, 1], [0, 1, 1, 1]]),  # two are equal
        ({"top_k": 9}, [[1, 1, 1, 1], [0, 1, 1, 1]]),
        ({"top_p": 0.4}, [[1, 0, 0, 0], [0, 1, 0, 0]]),
        ({"top_p": 0.75}, [[1, 0, 1, 0], [0, 1, 0, 1]]),
        ({"top_p": 0.75, "temperature": 0.5}, [[1, 0, 1, 0], [0, 1, 0, 0]]),
        # Among two words, 0.5 and 0.3 are 0.625 and 0.375.
        ({"top_p": 0.6, "top_k": 2}, [[1, 0, 0, 0], [0, 1, 0, 0]]),
    ],
)
def test_which_words_are_kept_and_how_probable_they_are(options, kept):
    found = tf.nn.softmax(Truncation(**options)(logits())).numpy()
    expected = CHANCES ** (1 / options.get("temperature", 1)) * np.array(kept)
    expected /= expected.sum(-1, keepdims=True)
    np.testing.assert_allclose(found, expected, rtol=1e-5)


def test_a_word_can_be_kept_in_any_case():
    found = Truncation(top_k=1, top_p=0.1)(logits(), kept=tf.constant([1, 1]))
    np.testing.assert_array_equal(np.isfinite(found), [[1, 1, 0, 0], [0, 1, 0, 0]])


@pytest.mark.parametrize("options", [{"top_k": 3}, {"top_p": 0.5}])
def test_draws_never_leave_it(options):
    """Over steps whose logits depend on the word before."""
    table = tf.random.stateless_normal([12, 12], [1, 2]) * 2
    sampler = RandomSampler(seed=3, max_length=6, temperature=1.5, **options)
    step = tf.function(
        lambda tokens, state: (tf.gather(table, tokens), state), autograph=False
    )
    tokens = sampler(step, tf.zeros([400, 1]))["tokens"][:, 0]
    left_out = 0
    for t in range(6):
        rows = tokens[tokens[:, t + 1] != 0]
        log_probs = sampler.allowed_log_probs(tf.gather(table, rows[:, t]), rows, t)
        kept = np.isfinite(sampler.truncation(log_probs))
        assert np.all(np.take_along_axis(kept, rows[:, t + 1, None].numpy(), 1))
        left_out += np.sum(np.isfinite(log_probs) & ~kept)
    assert left_out > 400


@pytest.mark.parametrize(
    "options", [{"temperature": 0}, {"top_k": -1}, {"top_p": 0}, {"top_p": 1.1}]
)
def test_what_is_out_of_range_is_named(options):
    ((name, value),) = options.items()
    with pytest.raises(ValueError, match=f"{name}={value}"):
        Truncation(**options)
