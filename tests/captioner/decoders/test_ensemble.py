"""Captioners that write together: the mean of their log probabilities."""

import keras
import numpy as np
import pytest
import tensorflow as tf

from annotator.captioner import (
    BeamSearch,
    CaptionDetails,
    Captioner,
    CausalTextFeedback,
    EnsembleDecoder,
    TextFeedback,
    Vocabulary,
    build_decoder,
    ensemble,
)
from annotator.export.preset import build_head, describe_head, head_weights

R, D = 4, 6
WORDS = ["dog", "red", "runs", "tree", "cat"]


def member(seed, decoder="stacked", layers=2, feedback=None, words=WORDS, width=D):
    """A captioner whose standardization and power of regions are its own as well."""
    keras.utils.set_random_seed(seed)
    sizes = {"units": 7 + seed, "attention_units": 5, "jit_compile": False}
    captioner = Captioner(
        Vocabulary(words),
        build_decoder(decoder, len(words) + 4, layers, **sizes),
        feedback,
        BeamSearch(3, results=2, max_length=6),
        region_power=[1.0, 0.5, 2.0][seed % 3],
    )
    captioner.build((None, None, width))
    rng = np.random.default_rng(seed)
    for weight in captioner.trainable_weights:
        weight.assign_add(rng.normal(0, 0.3, weight.shape))
    captioner.standardize(rng.normal(size=width), rng.uniform(1, 2, width))
    return captioner


def draft():
    return TextFeedback(5, rounds=1, jit_compile=False)


def some_regions(images=5):
    regions = np.random.default_rng(9).uniform(size=[images, R, D])
    return tf.constant(regions, tf.float16)


def told(captioner, regions):
    return captioner.generate(regions, return_attention=True)


def told_in_graph(captioner, regions):
    return tf.function(lambda r: told(captioner, r), autograph=False)(regions)


def assert_equal(found, expected):
    assert set(found) <= set(expected)  # drafts are the member's affair
    for name, value in found.items():
        if tf.as_dtype(value.dtype).is_floating:  # graphs are fused differently
            np.testing.assert_allclose(value, expected[name], 1e-6, 1e-6, err_msg=name)
        else:
            np.testing.assert_array_equal(value, expected[name], err_msg=name)


@pytest.mark.parametrize("feedback", [None, draft])
def test_of_one_and_of_equal_ones_it_is_the_member(feedback):
    one = member(1, feedback=feedback and feedback())
    expected = told(one, some_regions())
    in_graph = told_in_graph if feedback is None else told
    assert_equal(in_graph(ensemble([one]), some_regions()), expected)
    assert_equal(told(ensemble([one, one]), some_regions()), expected)


def test_by_hand():
    members = [member(0), member(1, layers=4), member(2, "soft"), member(3, "nic")]
    together = ensemble(members)
    regions, tokens = some_regions(2), tf.constant([[[1, 5, 4, 8]], [[1, 8, 8, 6]]])
    prepared = together.prepare(regions)
    states = together.decoder.states(prepared, tokens)
    log_probs, attention = 0.0, 0.0
    for each in members:
        logits, weights = each.decoder(
            each.standardized(regions), tokens, return_attention=True
        )
        log_probs = log_probs + tf.nn.log_softmax(logits).numpy() / 4
        if each.decoder.attending_layers:
            attention = attention + weights.numpy().mean(3, keepdims=True) / 3
    probabilities = np.exp(log_probs) / np.exp(log_probs).sum(-1, keepdims=True)
    logits = together.decoder.logits(states["hidden"])
    np.testing.assert_allclose(tf.nn.softmax(logits), probabilities, rtol=1e-4)
    np.testing.assert_allclose(states["attention_weights"], attention, rtol=1e-4)
    state = prepared["initial"]
    for t in range(tokens.shape[-1]):  # word by word, it is the same
        logits, state, weights = together.decoder.step(tokens[:, 0, t], state, prepared)
        np.testing.assert_allclose(
            tf.nn.softmax(logits), probabilities[:, 0, t], rtol=1e-4
        )
        np.testing.assert_allclose(weights, attention[:, 0, t], rtol=1e-4)


@pytest.mark.slow
def test_the_layers_of_attention_are_kept_where_members_agree():
    members = [member(0, layers=3), member(1, layers=3), member(2, "nic")]
    decoder = EnsembleDecoder(members)
    assert decoder.attending_layers == 2
    assert EnsembleDecoder(members[2:]).attending_layers == 0
    attention = told(ensemble(members), some_regions())["attention"]
    assert attention.shape == (5, 7, 2, R)
    np.testing.assert_allclose(tf.reduce_sum(attention, -1), 1, rtol=1e-4)
    assert told(ensemble(members[2:]), some_regions())["attention"].shape[2] == 0


def test_an_image_has_its_captions_whatever_the_others_are():
    together, regions = ensemble([member(0), member(2, "soft")]), some_regions(3)
    mask = tf.constant([[True] * 3 + [False], *[[True] * 4] * 2])
    batch = together.generate(regions, region_mask=mask)
    alone = [
        together.generate(regions[i : i + 1], region_mask=mask[i : i + 1])
        for i in range(3)
    ]
    for name in ("captions", "tokens", "n_best_tokens"):
        rows = tf.concat([each[name] for each in alone], axis=0)
        np.testing.assert_array_equal(batch[name], rows)


@pytest.mark.slow
def test_files_and_presets_hold_all_of_it(tmp_path):
    together = ensemble([member(0, feedback=draft()), member(1, "soft")])
    expected = told_in_graph(together, some_regions())
    together.save(tmp_path / "ensemble.keras")
    loaded = keras.saving.load_model(tmp_path / "ensemble.keras")
    assert_equal(told_in_graph(loaded, some_regions()), expected)
    head = build_head(describe_head(together), head_weights(together), "a preset")
    assert_equal(told_in_graph(head, some_regions()), expected)
    details = CaptionDetails(loaded)
    signature = [tf.TensorSpec([None, R, D], tf.float16)]
    graph = tf.function(
        details.call, signature, autograph=False
    ).get_concrete_function()
    exported = tf.Module()
    exported.weights = list(graph.variables)
    tf.saved_model.save(exported, str(tmp_path / "saved"), signatures=graph)
    served = tf.saved_model.load(str(tmp_path / "saved")).signatures["serving_default"]
    found = served(some_regions())
    for name in ("captions", "tokens", "scores", "attention"):
        assert_equal({name: found[name]}, expected)


@pytest.mark.parametrize(
    ("members", "message"),
    [
        (lambda: [], "members=\\[\\]"),
        (lambda: [member(0), member(0, words=WORDS[::-1])], "1 of .* has the words"),
        (lambda: [member(0), member(0, width=5)], "5\\), the first one .*6\\)"),
        (
            lambda: [member(0, feedback=CausalTextFeedback(3, rounds=1))],
            "Captioner 0 has causal feedback",
        ),
    ],
)
def test_what_does_not_go_together_is_refused(members, message):
    with pytest.raises(ValueError, match=message):
        ensemble(members())
