import keras
import numpy as np
import pytest
import tensorflow as tf

from annotator.captioner import (
    BeamSearch,
    Captioner,
    CausalTextFeedback,
    GreedySampler,
    SoftDecoder,
    StackedDecoder,
    TextFeedback,
    Vocabulary,
)
from annotator.captioner.cast_once import weights_cast_once

R, D, H = 4, 6, 16
CAPTIONS = ["a dog runs", "a red cat sits on the dog", "the cat runs", "a dog sits"]
SIZES = {"units": H, "attention_units": 7, "jit_compile": False}
FEEDBACKS = {
    "none": lambda: None,
    "draft": lambda: TextFeedback(5, rounds=1, jit_compile=False),
    "causal": lambda: CausalTextFeedback(5, rounds=1, jit_compile=False),
}
TWO_ROUNDS = {"two drafts": lambda: TextFeedback(5, rounds=2, jit_compile=False)}


def build(feedback="none", soft=False, words=CAPTIONS, **kwargs):
    keras.utils.set_random_seed(11)
    vocabulary = Vocabulary.fit(words)
    kind = SoftDecoder if soft else StackedDecoder
    options = {} if soft else {"layers": 2}
    captioner = Captioner(
        vocabulary,
        kind(len(vocabulary), **options, **SIZES),
        {**FEEDBACKS, **TWO_ROUNDS}[feedback](),
        sampler=BeamSearch(3, results=2, max_length=8),
        **kwargs,
    )
    captioner.build((None, None, D))
    for weight in captioner.trainable_weights:
        weight.assign_add(tf.random.normal(weight.shape, stddev=0.3))
    return captioner


def some_regions(images=4):
    rng = np.random.default_rng(12)
    return tf.constant(rng.uniform(size=[images, R, D]), tf.float32)


def some_tokens(captioner, length=9):
    """Two captions an image."""
    rows = captioner.vocabulary.encode(CAPTIONS + CAPTIONS[::-1], length)
    return tf.constant(rows.reshape(4, 2, length))


def test_keras_is_told_what_it_would_trace():
    captioner = build()
    told = captioner(keras.Input((R, D)))
    written = captioner(some_regions())
    assert told.keys() == written.keys()
    for name, value in written.items():
        assert told[name].shape == (None, *value.shape[1:])
        assert told[name].dtype == keras.backend.standardize_dtype(value.dtype)


@pytest.mark.parametrize("feedback", [*FEEDBACKS, *TWO_ROUNDS])
@pytest.mark.parametrize("soft", [False, True])
def test_generate_returns_text_and_attention(feedback, soft):
    captioner = build(feedback, soft)
    generate = tf.function(
        lambda r: captioner.generate(r, return_attention=True), autograph=False
    )
    found = generate(some_regions())
    assert found["tokens"].shape == (4, 10)
    assert found["n_best_tokens"].shape == (4, 2, 10)
    assert found["attention"].shape == (4, 9, 1, R)
    np.testing.assert_allclose(tf.reduce_sum(found["attention"], -1), 1, atol=1e-5)
    for text, ids in zip(found["captions"], found["tokens"], strict=True):
        assert text.numpy().decode() == captioner.vocabulary.decode(ids) != ""
    np.testing.assert_array_equal(found["n_best_scores"][:, 0], found["scores"])
    assert np.all(found["n_best_scores"][:, 0] >= found["n_best_scores"][:, 1])
    if "draft" in feedback:
        rounds = captioner.feedback.rounds
        assert found["drafts"].shape == (4, rounds)
        assert found["region_weights"].shape == (4, rounds, R)
        assert found["draft_attention"].shape == (4, rounds, 9, 1, R)
        drafts = captioner.draft(some_regions())
        np.testing.assert_array_equal(found["draft_tokens"], drafts)
    if feedback == "causal":
        assert found["region_weights"].shape == (4, 9, R)
        read = found["tokens"][:, None, :-1]
        _, plain = captioner.decoder(some_regions(), read, return_attention=True)
        np.testing.assert_allclose(found["plain_attention"], plain[:, 0], atol=1e-5)
        assert np.abs(found["plain_attention"] - found["attention"]).max() > 1e-3
        shares = found["word_weights"].numpy()  # of the words before each step
        np.testing.assert_allclose(shares[:, 1:].sum(-1), 1, atol=1e-5)
        np.testing.assert_array_equal(shares, np.tril(shares, -1))


@pytest.mark.parametrize("feedback", FEEDBACKS)
@pytest.mark.parametrize("soft", [False, True])
def test_scores_are_those_of_the_loss(feedback, soft):
    """Decoding word by word and the training path agree on the found captions."""
    captioner, regions = build(feedback, soft), some_regions()
    captioner.decoder.output_projection.bias.assign_add(3 * tf.one_hot(2, 12))
    found = captioner.generate(regions, BeamSearch(3, 0.0, max_length=20))
    assert np.all(np.asarray(found["tokens"])[:, -1] == 0), "not cut off"
    draft = captioner.draft(regions)
    for i in range(4):
        one = slice(i, i + 1)
        sums = captioner.caption_loss(
            regions[one], found["tokens"][one, None], draft[one], training=False
        )
        np.testing.assert_allclose(-sums["loss"], found["scores"][i], rtol=1e-4)


def test_the_loss_is_the_cross_entropy_of_real_words():
    captioner, regions = build(), some_regions()
    tokens = some_tokens(captioner)
    sums = captioner.caption_loss(regions, tokens, training=False)
    logits = captioner.decoder(regions, tokens[..., :-1])
    log_probs = tf.nn.log_softmax(logits).numpy()
    want, count = 0.0, 0
    for b, c, t in np.ndindex(4, 2, tokens.shape[-1] - 1):
        word = int(tokens[b, c, t + 1])
        if word:
            want, count = want - log_probs[b, c, t, word], count + 1
    np.testing.assert_allclose(sums["loss"], want, rtol=1e-5)
    assert sums["tokens"] == count == 2 * sum(1 + len(c.split()) for c in CAPTIONS)
    smoothed = captioner.caption_loss(
        regions, tokens, label_smoothing=0.1, training=False
    )
    uniform = -log_probs.mean(-1)[np.asarray(tokens[..., 1:]) != 0].sum()
    np.testing.assert_allclose(smoothed["loss"], 0.9 * want + 0.1 * uniform, rtol=1e-5)
    np.testing.assert_allclose(smoothed["cross_entropy"], want, rtol=1e-5)


@pytest.mark.parametrize("feedback", FEEDBACKS)
def test_padding_of_captions_and_regions_changes_nothing(feedback):
    captioner, regions = build(feedback), some_regions()
    tokens, draft = some_tokens(captioner), captioner.draft(some_regions())
    options = {"attention_regularizer": 0.5, "training": False}
    want = captioner.caption_loss(regions, tokens, draft, **options)
    more = tf.pad(tokens, [[0, 0], [0, 1], [0, 3]])
    padded = tf.pad(regions, [[0, 0], [0, 2], [0, 0]], constant_values=7.0)
    mask = tf.constant([[True] * R + [False] * 2] * 4)
    got = captioner.caption_loss(padded, more, draft, mask, **options)
    for name in want:
        np.testing.assert_allclose(got[name], want[name], rtol=1e-4)
    found = captioner.generate(padded, region_mask=mask)
    np.testing.assert_array_equal(
        found["tokens"], captioner.generate(regions)["tokens"]
    )


def test_standardized_regions_give_what_plain_ones_gave(tmp_path):
    captioner, regions = build(), some_regions()
    tokens = some_tokens(captioner)
    expected = captioner.caption_loss(regions, tokens, training=False)["loss"]
    mean, deviation = np.linspace(-2, 3, D), np.linspace(0.5, 4, D)
    deviation[1] = 0.0  # a channel that never varies is only centered
    captioner.standardize(mean, deviation)
    moved = regions * np.where(deviation > 0, deviation, 1) + mean
    loss = captioner.caption_loss(moved, tokens, training=False)["loss"]
    np.testing.assert_allclose(loss, expected, rtol=1e-4)
    captioner.save(tmp_path / "c.keras")
    copy = keras.saving.load_model(tmp_path / "c.keras")
    np.testing.assert_array_equal(copy.region_mean, captioner.region_mean)
    np.testing.assert_array_equal(copy.region_deviation, captioner.region_deviation)


def test_the_attention_regularizer_by_hand():
    captioner, regions = build(), some_regions()
    tokens = some_tokens(captioner)
    plain = captioner.caption_loss(regions, tokens, training=False)
    regular = captioner.caption_loss(
        regions, tokens, attention_regularizer=2.0, training=False
    )
    _, attention = captioner.decoder(regions, tokens[..., :-1], return_attention=True)
    real = (tokens[..., 1:] != 0).numpy()
    want = 0.0
    for b, c in np.ndindex(4, 2):
        given = attention.numpy()[b, c, real[b, c], 0].sum(0)
        want += np.square(given - real[b, c].sum() / R).sum()
    np.testing.assert_allclose(regular["loss"] - plain["loss"], 2 * want, rtol=1e-4)


@pytest.mark.parametrize("feedback", [*FEEDBACKS, *TWO_ROUNDS])
@pytest.mark.parametrize("place", [0, 1])
def test_a_reference_tells_nothing_of_another(feedback, place):
    """The feedback reads no reference: not this one, and not the image's other one."""
    captioner = build(feedback, plain_rate=0.0)
    regions, tokens = some_regions(), some_tokens(captioner).numpy()
    draft = captioner.draft(regions)

    def loss(tokens):
        sums = captioner.caption_loss(regions, tokens, draft, training=False)
        return float(sums["cross_entropy"])

    alone = tokens.copy()
    alone[:, 1 - place] = 0
    both = loss(tokens) - loss(alone)
    others = tokens.copy()
    others[:, place] = np.roll(others[:, place], 1, axis=0)
    alone[:, place] = others[:, place]
    assert loss(others) - loss(alone) == pytest.approx(both, rel=1e-5)


@pytest.mark.slow
@pytest.mark.parametrize("feedback", FEEDBACKS)
def test_it_learns_to_tell_images_apart(feedback):
    captioner, regions = build(feedback), some_regions()
    tokens = tf.constant(captioner.vocabulary.encode(CAPTIONS))[:, None]
    optimizer = keras.optimizers.Adam(0.02)
    variables = captioner.trainable_variables

    @tf.function(autograph=False)
    def step(draft):
        with tf.GradientTape() as tape:
            sums = captioner.caption_loss(regions, tokens, draft)
            loss = sums["loss"] / sums["tokens"]
        optimizer.apply(tape.gradient(loss, variables), variables)

    draft = tf.function(captioner.draft, autograph=False)
    for i in range(80):
        if i % 10 == 0:
            drafts = draft(regions)
        step(drafts)
    generate = tf.function(captioner.generate, autograph=False)
    for sampler in (captioner.sampler, GreedySampler(8)):
        found = generate(regions, sampler)
        assert [t.decode() for t in found["captions"].numpy()] == CAPTIONS


def test_missing_drafts_are_refused():
    captioner = build("two drafts")
    with pytest.raises(ValueError, match="2 rounds of feedback need drafts"):
        captioner.caption_loss(some_regions(), some_tokens(captioner))


def test_a_decoder_of_another_size_is_refused():
    with pytest.raises(ValueError, match="12 words, the vocabulary 5"):
        Captioner(Vocabulary(["a"]), StackedDecoder(12, layers=2))


@pytest.mark.parametrize("feedback", FEEDBACKS)
def test_saved_file_writes_the_same_captions(feedback, tmp_path):
    captioner, regions = build(feedback), some_regions()
    captioner.save(tmp_path / "captioner.keras")
    loaded = keras.saving.load_model(tmp_path / "captioner.keras")
    assert loaded.vocabulary == captioner.vocabulary
    assert vars(loaded.sampler) == vars(captioner.sampler)
    want = captioner.generate(regions, return_attention=True)
    got = loaded.generate(regions, return_attention=True)
    for name in want:
        np.testing.assert_array_equal(got[name], want[name])
    predicted = loaded.predict(regions, verbose=0)
    np.testing.assert_array_equal(predicted["tokens"], want["tokens"])


def test_weights_of_another_vocabulary_are_refused(tmp_path):
    build().save_weights(tmp_path / "captioner.weights.h5")
    other = build(words=[c.replace("dog", "cow") for c in CAPTIONS])
    with pytest.raises(ValueError, match="another vocabulary"):
        other.load_weights(tmp_path / "captioner.weights.h5")


@pytest.mark.slow
def test_saved_model_without_xla(tmp_path):
    captioner, regions = build("draft"), some_regions()
    captioner.set_jit_compile(True)
    captioner.set_jit_compile(False)
    assert not captioner.decoder.attentions[0].jit_compile
    assert not captioner.feedback.joint.jit_compile
    module = tf.Module()
    module.captioner = captioner
    module.serve = tf.function(
        lambda r: captioner.generate(r),
        input_signature=[tf.TensorSpec([None, R, D], tf.float32)],
        autograph=False,
    )
    tf.saved_model.save(module, tmp_path / "model")
    functions = captioner_functions(module.serve)
    assert not any("_XlaMustCompile" in function.attr for function in functions)
    loaded = tf.saved_model.load(tmp_path / "model")
    want, got = captioner.generate(regions), loaded.serve(regions)
    np.testing.assert_array_equal(got["captions"], want["captions"])
    np.testing.assert_allclose(got["scores"], want["scores"], rtol=1e-5)


def captioner_functions(function):
    return function.get_concrete_function().graph.as_graph_def().library.function


def test_regions_are_standardized_alike_in_training_and_in_decoding():
    """Channels far from zero lose all of their differences in bfloat16."""
    policy = keras.DTypePolicy("mixed_bfloat16")
    vocabulary = Vocabulary.fit(CAPTIONS)
    decoder = StackedDecoder(len(vocabulary), layers=2, dtype=policy, **SIZES)
    captioner = Captioner(vocabulary, decoder, dtype=policy)
    captioner.build((None, None, D))
    mean = np.linspace(1000.1, 1005.1, D).astype(np.float32)
    captioner.standardize(mean, np.full(D, 0.013, np.float32))
    regions = mean + 0.013 * (some_regions() - 0.5)
    expected = captioner.prepare(regions)["regions"]
    with weights_cast_once(captioner):
        decoded = captioner.prepare(regions)["regions"]
    np.testing.assert_array_equal(decoded, expected)
    assert np.std(tf.cast(expected, tf.float32)) > 0.1


@pytest.mark.parametrize("tied", [False, True])
@pytest.mark.parametrize("kind", [TextFeedback, CausalTextFeedback])
def test_weights_are_rounded_alike_in_training_and_in_decoding(kind, tied):
    """Some are used in float32, others rounded to bfloat16, by whatever road."""
    policy = keras.DTypePolicy("mixed_bfloat16")
    exact = build("draft" if kind is TextFeedback else "causal")
    options = {"tied": tied, "dtype": policy}
    decoder = StackedDecoder(len(exact.vocabulary), layers=2, **options, **SIZES)
    feedback = kind(5, rounds=1, jit_compile=False, dtype=policy)
    captioner = Captioner(exact.vocabulary, decoder, feedback, dtype=policy)
    captioner.build((None, None, D))
    for weight in captioner.trainable_weights:
        weight.assign_add(tf.random.normal(weight.shape, stddev=0.3))
    captioner.standardize(np.linspace(0.1, 0.7, D), np.full(D, 0.37))
    read = some_tokens(captioner)[..., :-1]
    draft = captioner.draft(some_regions())

    def numbers():
        prepared = captioner.prepare(some_regions())
        current = captioner.feedback.refine_by_given_drafts(
            captioner.decoder, prepared, draft
        )
        states = feedback.states(decoder, current, read)
        return states["attention_weights"], decoder.logits(states["hidden"])

    expected = numbers()
    with weights_cast_once(captioner):
        decoded = numbers()
    for got, want in zip(decoded, expected, strict=True):
        np.testing.assert_array_equal(got, want)
    want, got = captioner.generate(some_regions()), captioner(some_regions())
    np.testing.assert_array_equal(got["scores"], want["scores"])


@pytest.mark.parametrize("feedback", ["draft", "causal"])
def test_without_feedback_the_decoder_writes_alone(feedback):
    captioner, regions = build(feedback), some_regions()
    plain = Captioner(
        captioner.vocabulary, captioner.decoder, sampler=captioner.sampler
    )
    plain.build((None, None, D))
    expected = plain.generate(regions, return_attention=True)
    found = captioner.generate(regions, return_attention=True, with_feedback=False)
    assert set(found) == set(expected)
    for name, value in expected.items():
        np.testing.assert_array_equal(found[name], value)
    with_it = captioner.generate(regions)
    assert not np.array_equal(with_it["scores"], expected["scores"])


def test_drafts_keep_to_the_limits_of_captions():
    sampler = BeamSearch(2, max_length=7, no_repeat_ngram=2)
    captioner = Captioner(
        Vocabulary.fit(CAPTIONS),
        StackedDecoder(len(Vocabulary.fit(CAPTIONS)), layers=2, **SIZES),
        sampler=sampler,
    )
    assert captioner.draft_sampler.max_length == 7
    assert captioner.draft_sampler.no_repeat_ngram == 2
    # A file says how its drafts are decoded, whatever the default is by now.
    before = keras.saving.serialize_keras_object(GreedySampler(7))
    config = {**captioner.get_config(), "draft_sampler": before}
    assert Captioner.from_config(config).draft_sampler.no_repeat_ngram == 0
