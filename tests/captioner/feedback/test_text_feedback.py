import keras
import numpy as np
import pytest
import tensorflow as tf

from annotator.captioner.decoders.registry import build_decoder
from annotator.captioner.decoders.soft import SoftDecoder
from annotator.captioner.decoders.stacked import StackedDecoder
from annotator.captioner.feedback.causal import CausalTextFeedback
from annotator.captioner.feedback.draft import TextFeedback
from annotator.captioner.feedback.scalar_score import ScalarScore

B, C, T, R, D, V, H, U = 2, 2, 5, 4, 6, 11, 8, 5


def build(
    kind=TextFeedback, rounds=1, soft=False, score="additive", reweighs="regions"
):
    keras.utils.set_random_seed(7)
    sizes = {"units": H, "attention_units": 7, "jit_compile": False}
    sizes["reweighs"] = reweighs
    decoder = SoftDecoder(V, **sizes) if soft else StackedDecoder(V, layers=3, **sizes)
    decoder.build((None, None, D))
    feedback = kind(U, rounds=rounds, jit_compile=False, score=score)
    feedback.build((None, None, H), (None, None, D))
    for weight in decoder.trainable_weights + feedback.trainable_weights:
        weight.assign_add(tf.random.normal(weight.shape, stddev=0.4))
    return decoder, feedback


def some_inputs():
    rng = np.random.default_rng(8)
    regions = tf.constant(rng.uniform(size=[B, R, D]), tf.float32)
    return regions, tf.constant(rng.integers(4, V, [B, C, T]), tf.int32)


def softmax(x):
    return np.exp(x) / np.exp(x).sum()


def recompute(feedback, states, regions):
    """R beta of one image and the states `[n, H]` of its text, and alpha."""
    hidden, score = feedback.word_hidden, feedback.word_score
    e = np.tanh(states @ hidden.kernel.numpy() + hidden.bias.numpy())
    e = (e @ score.kernel.numpy() + score.bias.numpy())[:, 0]
    alpha = softmax(e)
    s = alpha @ states
    joint = feedback.joint
    u = np.tanh(
        regions @ joint.region_projection.kernel.numpy()
        + s @ joint.query_projection.kernel.numpy()
        + joint.query_projection.bias.numpy()
    )
    return len(regions) * softmax(u @ joint.score_weights.numpy()), alpha


def test_a_round_equals_the_formulas():
    decoder, feedback = build()
    regions, _ = some_inputs()
    draft = tf.constant([[1, 5, 6, 7, 2, 0], [1, 8, 2, 0, 0, 0]])
    prepared = decoder.prepare(regions)
    refined, found = feedback.refine(decoder, prepared, prepared, draft)
    hidden = decoder.states(prepared, draft[:, None, :-1])["hidden"][:, 0].numpy()
    for b, words in enumerate([3, 1]):
        want, alpha = recompute(feedback, hidden[b, :words], regions[b].numpy())
        np.testing.assert_allclose(found["region_weights"][b], want, atol=1e-5)
        np.testing.assert_allclose(found["word_weights"][b, :words], alpha, atol=1e-5)
        np.testing.assert_array_equal(found["word_weights"][b, words:], 0)
        np.testing.assert_allclose(
            refined["regions"][b], want[:, None] * regions[b], atol=1e-5
        )
    np.testing.assert_allclose(np.mean(found["region_weights"], 1), 1, atol=1e-5)


def test_the_printed_score_by_hand():
    """softmax(tanh(W_v v + W_s s)), the numbers worked out on paper."""
    layer = ScalarScore()
    layer.build((None, None, 2), (None, None, 3))
    layer.region_projection.kernel.assign([[1.0], [2.0], [0.0]])
    layer.text_projection.kernel.assign([[0.5], [-1.0]])
    keys = layer.project(tf.constant([[[1.0, 0, 9], [0.0, 1, 9], [-1.0, 0, 9]]]))
    texts = tf.constant([[[1.0, 0.0], [2.0, 1.0]]])
    # W_v v: 1, 2, -1; W_s s: 0.5 and 0.
    tanh = np.array([[0.905148, 0.986614, -0.462117], [0.761594, 0.964028, -0.761594]])
    want = np.exp(tanh) / np.exp(tanh).sum(axis=1, keepdims=True)
    got = layer.attention_weights(texts, keys)
    np.testing.assert_allclose(got[0], want, atol=1e-5)
    masked = layer.attention_weights(texts, keys, tf.constant([[True, False, True]]))
    np.testing.assert_array_equal(masked[0, :, 1], 0)
    np.testing.assert_allclose(
        masked[0, :, 0], 1 / (1 + np.exp(tanh[:, 2] - tanh[:, 0])), atol=1e-5
    )


@pytest.mark.parametrize("kind", [TextFeedback, CausalTextFeedback])
def test_printed_weights_differ_by_e_squared_at_most(kind):
    decoder, feedback = build(kind, score="scalar")
    keys = feedback.project(decoder.prepare(100 * some_inputs()[0]))
    weights = feedback.region_weights(100 * tf.ones([B, 1, H]), keys).numpy()
    assert (weights.max(-1) / weights.min(-1)).max() <= np.exp(2) + 1e-4
    np.testing.assert_allclose(weights.mean(-1), 1, atol=1e-5)


@pytest.mark.parametrize("by_word", [False, True])
@pytest.mark.parametrize("soft", [False, True])
def test_log_weights_multiply_the_attention(soft, by_word):
    """softmax(score + log w) is the attention times w, brought to a sum of 1."""
    decoder, _ = build(soft=soft, reweighs="attention")
    regions, tokens = some_inputs()
    tokens = tokens[..., :1]  # later states know of earlier contexts
    plain = decoder.prepare(regions)
    weights = tf.constant([[0.5, 1.5, 2.0, 0.0], [1.0, 1.0, 1.0, 1.0]])
    attention = decoder.states(plain, tokens)["attention_weights"][..., 0, :].numpy()
    if by_word:
        repeated = tf.tile(weights[:, None, None], [1, C, 1, 1])
        got = decoder.states(plain, tokens, repeated)
    else:
        prepared = decoder.reweigh(plain, weights)
        np.testing.assert_array_equal(prepared["regions"], plain["regions"])
        got = decoder.states(prepared, tokens)
    want = attention * weights[:, None, None].numpy()
    want /= want.sum(axis=-1, keepdims=True)
    np.testing.assert_allclose(got["attention_weights"][..., 0, :], want, atol=1e-5)
    np.testing.assert_allclose(
        got["hidden"][1], decoder.states(plain, tokens)["hidden"][1], atol=1e-5
    )
    assert np.abs(got["hidden"][0] - decoder.states(plain, tokens)["hidden"][0]).max()


@pytest.mark.parametrize("soft", [False, True])
def test_files_from_before_there_were_forms_of_feedback(soft):
    for part, name in zip(build(soft=soft), ("reweighs", "score"), strict=True):
        config = part.get_config()
        default = config.pop(name)
        assert type(part).from_config(config).get_config()[name] == default


def test_unknown_forms_are_refused():
    with pytest.raises(ValueError, match="score must be one of .* got 'linear'"):
        TextFeedback(score="linear")
    with pytest.raises(ValueError, match="reweighs must be one of .* got 'keys'"):
        StackedDecoder(V, reweighs="keys")
    with pytest.raises(ValueError, match="'nic' has no attention to reweigh"):
        build_decoder("nic", V, reweighs="attention")


def test_causal_feedback_equals_the_formulas():
    decoder, feedback = build(CausalTextFeedback)
    regions, tokens = some_inputs()
    prepared = decoder.prepare(regions)
    first = decoder.states(prepared, tokens)["hidden"].numpy()
    states = feedback.states(decoder, prepared, tokens)
    for b in range(B):
        for c in range(C):
            got = states["region_weights"][b, c]
            shares = states["word_weights"][b, c]
            np.testing.assert_array_equal(got[0], 1)
            np.testing.assert_array_equal(shares[0], 0)
            for t in range(1, T):
                want, alpha = recompute(feedback, first[b, c, :t], regions[b].numpy())
                np.testing.assert_allclose(got[t], want, atol=1e-5)
                np.testing.assert_allclose(shares[t, :t], alpha, atol=1e-5)
                np.testing.assert_array_equal(shares[t, t:], 0)
    np.testing.assert_allclose(
        states["hidden"],
        decoder.states(prepared, tokens, states["region_weights"])["hidden"],
        atol=1e-6,
    )


@pytest.mark.parametrize("reweighs", ["regions", "attention"])
@pytest.mark.parametrize(
    ("rounds", "soft"), [(0, False), (1, False), (1, True), (2, False)]
)
def test_causal_steps_equal_the_sequence(rounds, soft, reweighs):
    decoder, feedback = build(CausalTextFeedback, rounds, soft, reweighs=reweighs)
    regions, tokens = some_inputs()
    mask = tf.constant([[True] * R, [True, True, False, True]])
    prepared = decoder.prepare(regions, mask)
    want = feedback.states(decoder, prepared, tokens)
    keys = feedback.project(prepared)
    state = tf.nest.map_structure(
        lambda x: tf.repeat(x, C, 0), feedback.initial_state(prepared)
    )
    rows = tf.reshape(tokens, [B * C, T])
    for t in range(T):
        hidden, state, attention = feedback.step_states(
            decoder, rows[:, t], state, prepared, keys
        )
        np.testing.assert_allclose(
            hidden, tf.reshape(want["hidden"][:, :, t], hidden.shape), atol=1e-5
        )
        np.testing.assert_allclose(
            attention,
            tf.reshape(want["attention_weights"][:, :, t], attention.shape),
            atol=1e-5,
        )


def leaks(logits_of, references):
    """Whether a reference word at t or later changes a logit at t or before.

    `logits_of` takes references `[B, n C, T + 1]` with `<start>` in front; its logits
    t predict the word `references[..., t + 1]`, which is word t.
    """
    forms = [references.numpy()]
    for t in range(references.shape[-1] - 1):
        changed = references.numpy()
        changed[..., t + 1 :] = 4 + (changed[..., t + 1 :] - 3) % (V - 4)
        forms.append(changed)
    logits = logits_of(tf.concat(forms, axis=1))
    before, *others = np.split(logits.numpy(), len(forms), axis=1)
    return any(
        np.abs(after - before)[:, :, : t + 1].max() > 1e-6
        for t, after in enumerate(others)
    )


def references():
    _, tokens = some_inputs()
    return tf.concat([tf.ones([B, C, 1], tf.int32), tokens], axis=-1)


class SeesItsOwnState(CausalTextFeedback):
    """A mistake of one step: allowed as states go, but not what A3 asks for."""

    def _visible(self, steps):
        return tf.linalg.band_part(tf.ones([steps, steps], tf.bool), -1, 0)


class SeesTheFuture(CausalTextFeedback):
    def _visible(self, steps):
        return tf.linalg.band_part(tf.ones([steps, steps], tf.bool), -1, 1)


@pytest.mark.parametrize("rounds", [1, 2])
def test_the_reference_does_not_leak_through_causal_feedback(rounds):
    regions, _ = some_inputs()

    def logits(kind):
        decoder, feedback = build(kind, rounds)
        prepared = decoder.prepare(regions)
        return lambda ids: decoder.logits(
            feedback.states(decoder, prepared, ids[..., :-1])["hidden"]
        )

    assert not leaks(logits(CausalTextFeedback), references())
    assert leaks(logits(SeesTheFuture), references())


def test_causal_feedback_uses_strictly_earlier_states():
    """Changing the input at t must change region weights only after t."""
    regions, tokens = some_inputs()
    changed = tf.concat([tokens[..., :2], 4 + (tokens[..., 2:] - 3) % (V - 4)], -1)

    def first_difference(kind):
        decoder, feedback = build(kind)
        prepared = decoder.prepare(regions)
        a, b = (
            feedback.states(decoder, prepared, ids)["region_weights"].numpy()
            for ids in (tokens, changed)
        )
        return np.flatnonzero(np.abs(a - b).max(axis=(0, 1, 3)) > 1e-6)[0]

    assert first_difference(CausalTextFeedback) == 3
    assert first_difference(SeesItsOwnState) == 2


def test_the_reference_does_not_leak_through_drafts():
    regions, _ = some_inputs()
    decoder, feedback = build()
    prepared = decoder.prepare(regions)
    draft = tf.constant([[1, 5, 6, 7, 2, 0], [1, 8, 2, 0, 0, 0]])

    def logits(ids, draft):
        refined, _ = feedback.refine(decoder, prepared, prepared, draft)
        return decoder.logits(decoder.states(refined, ids[..., :-1])["hidden"])

    def logits_with_references_for_drafts(ids):
        forms = tf.split(ids, ids.shape[1] // C, axis=1)
        return tf.concat([logits(form, form[:, 0]) for form in forms], axis=1)

    assert not leaks(lambda ids: logits(ids, draft), references())
    # The trap: the reference in the place of the draft.
    assert leaks(logits_with_references_for_drafts, references())


@pytest.mark.parametrize("kind", [TextFeedback, CausalTextFeedback])
@pytest.mark.parametrize(
    ("score", "reweighs"),
    [("additive", "regions"), ("scalar", "regions"), ("additive", "attention")],
)
def test_gradients_reach_every_weight(kind, score, reweighs):
    decoder, feedback = build(kind, score=score, reweighs=reweighs)
    regions, tokens = some_inputs()
    draft = tf.constant([[1, 5, 6, 7, 2, 0], [1, 8, 9, 2, 0, 0]])
    with tf.GradientTape() as tape:
        prepared = decoder.prepare(regions)
        refined = feedback.refine_by_given_drafts(decoder, prepared, draft[:, None])
        states = feedback.states(decoder, refined, tokens)
        logits = decoder.logits(states["hidden"])
        loss = tf.reduce_sum(tf.nn.log_softmax(logits)[..., 0])
    variables = decoder.trainable_variables + feedback.trainable_variables
    for variable, grad in zip(variables, tape.gradient(loss, variables), strict=True):
        if variable is feedback.word_score.bias:  # a shift of all scores
            continue
        assert np.abs(tf.convert_to_tensor(grad)).max() > 0, variable.path


def test_images_left_alone_and_padding():
    decoder, feedback = build()
    regions, _ = some_inputs()
    draft = tf.constant([[1, 5, 6, 2], [1, 8, 9, 2]])
    prepared = decoder.prepare(regions)
    refined, found = feedback.refine(
        decoder, prepared, prepared, draft, left_alone=tf.constant([True, False])
    )
    np.testing.assert_allclose(refined["regions"][0], regions[0])
    assert np.abs(refined["regions"][1] - regions[1]).max() > 1e-3
    padded = decoder.prepare(
        tf.pad(regions, [[0, 0], [0, 3], [0, 0]], constant_values=5.0),
        tf.constant([[True] * R + [False] * 3] * B),
    )
    _, found_padded = feedback.refine(decoder, padded, padded, draft)
    _, found = feedback.refine(decoder, prepared, prepared, draft)
    np.testing.assert_allclose(
        found_padded["region_weights"][:, :R], found["region_weights"], atol=1e-5
    )
    np.testing.assert_array_equal(found_padded["region_weights"][:, R:], 0)


def test_an_empty_draft_is_harmless():
    decoder, feedback = build()
    regions, _ = some_inputs()
    prepared = decoder.prepare(regions)
    empty = tf.constant([[1, 2, 0, 0]] * B)
    _, found = feedback.refine(decoder, prepared, prepared, empty)
    assert np.all(np.isfinite(found["region_weights"]))


def test_negative_rounds_are_refused():
    with pytest.raises(ValueError, match="rounds=-1"):
        TextFeedback(rounds=-1)
