import functools
import itertools

import numpy as np
import pytest
import tensorflow as tf

from annotator.captioner.samplers.beam_search import BeamSearch
from annotator.captioner.samplers.greedy import GreedySampler
from annotator.captioner.samplers.random import RandomSampler
from annotator.captioner.vocabulary import END, PAD, START, UNKNOWN

V = 12  # 4 special words and 8 others


class FakeModel:
    """Next-word logits from a table by the two words before, one table an image."""

    def __init__(self, images=2, seed=0, end_bias=0.0):
        rng = np.random.default_rng(seed)
        table = rng.normal(size=[images, V, V, V]) * 2
        table[..., END] += end_bias
        self.table = tf.constant(table, tf.float32)
        self.images = images

    def state(self, images=None):
        images = tf.range(self.images) if images is None else tf.constant(images)
        return {"image": images, "last": tf.zeros_like(images)}

    def step(self, tokens, state):
        where = tf.stack([state["image"], state["last"], tokens], axis=1)
        new_state = {"image": state["image"], "last": tokens}
        return tf.gather_nd(self.table, where), new_state

    @functools.cached_property
    def log_probs(self):
        return tf.nn.log_softmax(self.table).numpy()

    def log_prob(self, image, words):
        """Log probability of words, of which the last may be `<end>`."""
        table = self.log_probs[image]
        path = [0, START, *words]
        return sum(table[path[i], path[i + 1], path[i + 2]] for i in range(len(words)))


def all_captions(model, image, max_length, penalty):
    """Every caption that ends in time, as (score, words), best first."""
    words = range(4, V)
    found = []
    for n in range(1, max_length + 1):
        for caption in itertools.product(words, repeat=n):
            if stutters(caption):
                continue
            score = model.log_prob(image, [*caption, END]) / (n + 1) ** penalty
            found.append((score, caption))
    return sorted(found, reverse=True)


def stutters(words):
    """Whether a word comes three times in a row."""
    return any(words[i] == words[i + 1] == words[i + 2] for i in range(len(words) - 2))


def words_of(tokens):
    tokens = list(np.asarray(tokens))
    assert tokens[0] == START and tokens.count(END) == 1
    end = tokens.index(END)
    assert set(tokens[end + 1 :]) <= {PAD}
    assert not {PAD, START, UNKNOWN} & set(tokens[1:end])
    return tuple(tokens[1:end])


@pytest.mark.parametrize("penalty", [0.0, 0.7, 1.0])
def test_a_wide_beam_equals_exhaustive_search(penalty):
    model = FakeModel()
    sampler = BeamSearch(600, penalty, results=5, max_length=3)
    got = sampler(model.step, model.state())
    for image in range(2):
        want = all_captions(model, image, 3, penalty)[:5]
        np.testing.assert_allclose(got["scores"][image], [s for s, _ in want], 1e-4)
        assert [words_of(t) for t in got["tokens"][image]] == [w for _, w in want]


@pytest.mark.parametrize("length", [2, 3])
def test_a_caption_may_be_as_long_as_it_may_be(length):
    """5 6 `<end>` is all but certain: also where no third word is allowed."""
    model = FakeModel()
    model.table *= 0.0
    for before, word in (((0, START), 5), ((START, 5), 6), ((5, 6), END)):
        table = tf.one_hot(word, V, 20.0)
        places = [[image, *before] for image in range(2)]
        model.table = tf.tensor_scatter_nd_add(model.table, places, [table] * 2)
    found = BeamSearch(3, 0.7, max_length=length)(model.step, model.state())
    for image in range(2):
        assert words_of(found["tokens"][image, 0]) == (5, 6)
        np.testing.assert_allclose(found["log_probs"][image, 0], 0, atol=1e-4)


@pytest.mark.parametrize("penalty", [-0.5, 0.0, 0.7])
def test_stopping_early_loses_nothing(penalty):
    """Compared with a search that goes on until the longest caption."""

    class Patient(BeamSearch):
        def _can_improve(self, t, open_scores, finished_scores):
            return tf.ones(tf.shape(open_scores)[0], tf.bool)

    model = FakeModel(images=6, seed=1, end_bias=1.0)
    options = {"length_penalty": penalty, "max_length": 9}
    for results in (1, 3):
        options["results"] = results
        got = BeamSearch(3, **options)(model.step, model.state())
        want = Patient(3, **options)(model.step, model.state())
        np.testing.assert_array_equal(got["tokens"], want["tokens"])
        np.testing.assert_array_equal(got["scores"], want["scores"])


def test_search_stops_early():
    steps = []
    model = FakeModel(images=2, end_bias=9.0)

    def counted(tokens, state):
        steps.append(0)
        return model.step(tokens, state)

    BeamSearch(2, 0.0, max_length=50)(counted, model.state())
    assert len(steps) < 10


@pytest.mark.parametrize(
    "sampler",
    [
        BeamSearch(4, results=3, max_length=6),
        GreedySampler(max_length=6),
    ],
    ids=["beam", "greedy"],
)
def test_batch_equals_images_one_by_one(sampler):
    model = FakeModel(images=5, seed=3, end_bias=0.5)
    together = tf.function(sampler, autograph=False)(model.step, model.state())
    for image in range(5):
        alone = sampler(model.step, model.state([image]))
        for name, values in alone.items():
            np.testing.assert_array_equal(values[0], together[name][image])


@pytest.mark.parametrize(
    "sampler",
    [
        BeamSearch(3, results=3, max_length=5),
        GreedySampler(max_length=5),
        RandomSampler(temperature=1.3, seed=2, max_length=5),
    ],
    ids=["beam", "greedy", "random"],
)
def test_scores_are_the_models_log_probabilities(sampler):
    model = FakeModel(images=4, seed=4)
    found = sampler(model.step, model.state())
    for image in range(4):
        for tokens, log_prob in zip(
            found["tokens"][image], found["log_probs"][image], strict=True
        ):
            words = list(words_of(tokens))
            if len(words) < 5 or isinstance(sampler, BeamSearch):
                words.append(END)
            want = model.log_prob(image, words)
            np.testing.assert_allclose(log_prob, want, rtol=1e-5)


@pytest.mark.parametrize("length", [1, 4])
@pytest.mark.parametrize("kind", [BeamSearch, GreedySampler, RandomSampler])
def test_a_caption_comes_without_end_too(kind, length):
    model = FakeModel(end_bias=-1e9)
    found = kind(max_length=length)(model.step, model.state())
    for tokens in found["tokens"][:, 0]:
        assert len(words_of(tokens)) == length


@pytest.mark.parametrize("kind", [BeamSearch, GreedySampler, RandomSampler])
def test_a_caption_has_a_word_and_no_special_one(kind):
    model = FakeModel(images=20)
    bias = tf.one_hot([PAD, START, UNKNOWN, END], V, 20.0)
    model.table += tf.reduce_sum(bias, axis=0)
    found = kind(max_length=4)(model.step, model.state())
    for tokens in found["tokens"][:, 0]:
        assert len(words_of(tokens)) >= 1


@pytest.mark.parametrize("kind", [BeamSearch, GreedySampler, RandomSampler])
def test_no_word_comes_three_times_in_a_row(kind):
    model = FakeModel(images=8, end_bias=-20.0)
    model.table += tf.one_hot(5, V, 9.0)  # "5 5 5 5 5 ..." by itself
    found = kind(max_length=8)(model.step, model.state())["tokens"][:, 0]
    captions = [words_of(tokens) for tokens in found]
    assert not any(stutters(caption) for caption in captions)
    assert all(caption.count(5) >= 5 for caption in captions)  # 5 5 x 5 5 x 5 5


@pytest.mark.parametrize("n", [1, 2, 3])
@pytest.mark.parametrize("kind", [BeamSearch, GreedySampler, RandomSampler])
def test_no_ngram_comes_twice(kind, n):
    model = FakeModel(images=8, end_bias=-20.0)
    model.table += tf.one_hot(5, V, 4.0)  # "5 5 5 5 5 ..." by itself

    def repeats(no_repeat_ngram):
        sampler = kind(max_length=8, no_repeat_ngram=no_repeat_ngram)
        found = sampler(model.step, model.state())["tokens"][:, 0]
        captions = [words_of(tokens) for tokens in found]
        ngrams = [[c[i : i + n] for i in range(len(c) - n + 1)] for c in captions]
        return sum(len(set(grams)) < len(grams) for grams in ngrams)

    assert repeats(n) == 0
    assert repeats(0) > 0


def test_fewer_captions_than_asked_for():
    model = FakeModel(images=1)
    model.table += tf.concat([tf.zeros([4]), [0.0], tf.fill([V - 5], -np.inf)], 0)
    found = BeamSearch(3, results=3, max_length=1)(model.step, model.state())
    assert words_of(found["tokens"][0, 0]) == (4,)
    np.testing.assert_array_equal(found["scores"][0, 1:], -np.inf)


def test_greedy_is_a_beam_of_one():
    model = FakeModel(images=6, seed=8)
    beam = BeamSearch(1, 0.0, max_length=6)(model.step, model.state())
    greedy = GreedySampler(max_length=6)(model.step, model.state())
    for a, b in zip(beam["tokens"][:, 0], greedy["tokens"][:, 0], strict=True):
        assert words_of(a) == words_of(b)


def test_random_captions_follow_the_seed_and_the_distribution():
    model = FakeModel(images=1)
    state = model.state([0] * 4000)

    def draw(**kwargs):
        return RandomSampler(max_length=1, **kwargs)(model.step, state)["tokens"][
            :, 0, 1
        ]

    np.testing.assert_array_equal(draw(seed=1), draw(seed=1))
    assert np.any(draw(seed=1) != draw(seed=2))
    probabilities = tf.nn.softmax(model.table[0, 0, START]).numpy()
    probabilities[:4] = 0
    probabilities /= probabilities.sum()
    share = np.bincount(draw(seed=1), minlength=V) / 4000
    np.testing.assert_allclose(share, probabilities, atol=0.03)
    assert set(draw(top_k=1).numpy()) == {probabilities.argmax()}
    assert set(draw(temperature=0.01).numpy()) == {probabilities.argmax()}


def test_equals_keras_hub():
    """Where nothing is forbidden and nothing ends, the two searches are the same."""
    hub = pytest.importorskip("keras_hub", exc_type=ImportError)
    model, beams, length = FakeModel(images=3, seed=9, end_bias=-1e9), 4, 5
    special = tf.reduce_sum(tf.one_hot([PAD, START, UNKNOWN], V, -1e9, 0.0), axis=0)
    model.table += special
    thrice = np.eye(V)[:, :, None] * np.eye(V)  # 1 where three words are the same
    model.table -= tf.constant(1e9 * thrice, tf.float32)

    def next_logits(prompt, cache, index):
        last = tf.where(index > 1, prompt[:, index - 2], 0)
        where = tf.stack([cache[:, 0], last, prompt[:, index - 1]], axis=1)
        return tf.gather_nd(model.table, where), None, cache

    prompt = tf.concat([tf.fill([3, 1], START), tf.zeros([3, length], tf.int32)], 1)
    mask = tf.concat([tf.ones([3, 1], tf.bool), tf.zeros([3, length], tf.bool)], 1)
    reference = hub.samplers.BeamSampler(num_beams=beams)
    want = reference(
        next=next_logits,
        prompt=prompt,
        cache=tf.range(3)[:, None],
        index=1,
        mask=mask,
        stop_token_ids=[END],
    )
    got = BeamSearch(beams, max_length=length)(model.step, model.state())
    np.testing.assert_array_equal(got["tokens"][:, 0, : length + 1], want)


def test_bad_options_are_named():
    with pytest.raises(ValueError, match="results=6 with beams=5"):
        BeamSearch(5, results=6)
    with pytest.raises(ValueError, match="max_length=0"):
        GreedySampler(0)
    with pytest.raises(ValueError, match="temperature=0"):
        RandomSampler(temperature=0)


@pytest.mark.parametrize(
    "sampler",
    [
        BeamSearch(3, 0.5, 2, max_length=7),
        RandomSampler(0.5, 3, 4),
        GreedySampler(9, 2),
    ],
)
def test_config(sampler):
    assert vars(type(sampler)(**sampler.get_config())) == vars(sampler)
