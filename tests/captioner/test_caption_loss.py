"""The loss of captions: cross entropy, padding, regularizer, and what it may read."""

import numpy as np
import pytest
import tensorflow as tf

FEEDBACKS = ("none", "draft", "causal")


def test_the_loss_is_the_cross_entropy_of_real_words(build, regions, tokens):
    captioner = build()
    sums = captioner.caption_loss(regions, tokens, training=False)
    logits = captioner.decoder(regions, tokens[..., :-1])
    log_probs = tf.nn.log_softmax(logits).numpy()
    want, count = 0.0, 0
    for b, c, t in np.ndindex(4, 2, tokens.shape[-1] - 1):
        word = int(tokens[b, c, t + 1])
        if word:
            want, count = want - log_probs[b, c, t, word], count + 1
    np.testing.assert_allclose(sums["loss"], want, rtol=1e-5)
    assert sums["tokens"] == count == 2 * (16 + 4)  # words and ends
    smoothed = captioner.caption_loss(
        regions, tokens, label_smoothing=0.1, training=False
    )
    uniform = -log_probs.mean(-1)[np.asarray(tokens[..., 1:]) != 0].sum()
    np.testing.assert_allclose(smoothed["loss"], 0.9 * want + 0.1 * uniform, rtol=1e-5)
    np.testing.assert_allclose(smoothed["cross_entropy"], want, rtol=1e-5)


@pytest.mark.parametrize("feedback", FEEDBACKS)
def test_padding_of_captions_and_regions_changes_nothing(
    feedback, build, regions, tokens
):
    captioner = build(feedback)
    draft = captioner.draft(regions)
    options = {"attention_regularizer": 0.5, "training": False}
    want = captioner.caption_loss(regions, tokens, draft, **options)
    more = tf.pad(tokens, [[0, 0], [0, 1], [0, 3]])
    padded = tf.pad(regions, [[0, 0], [0, 2], [0, 0]], constant_values=7.0)
    mask = tf.constant([[True] * 4 + [False] * 2] * 4)
    got = captioner.caption_loss(padded, more, draft, mask, **options)
    for name in want:
        np.testing.assert_allclose(got[name], want[name], rtol=1e-4)
    found = captioner.generate(padded, region_mask=mask)
    np.testing.assert_array_equal(
        found["tokens"], captioner.generate(regions)["tokens"]
    )


def test_the_attention_regularizer_by_hand(build, regions, tokens):
    captioner = build()
    plain = captioner.caption_loss(regions, tokens, training=False)
    regular = captioner.caption_loss(
        regions, tokens, attention_regularizer=2.0, training=False
    )
    _, attention = captioner.decoder(regions, tokens[..., :-1], return_attention=True)
    real = (tokens[..., 1:] != 0).numpy()
    want = 0.0
    for b, c in np.ndindex(4, 2):
        given = attention.numpy()[b, c, real[b, c], 0].sum(0)
        want += np.square(given - real[b, c].sum() / regions.shape[1]).sum()
    np.testing.assert_allclose(regular["loss"] - plain["loss"], 2 * want, rtol=1e-4)


@pytest.mark.parametrize(
    ("feedback", "place"),
    [
        *((feedback, 1) for feedback in (*FEEDBACKS, "two drafts")),
        ("causal", 0),  # which alone reads references
        *(
            pytest.param(feedback, 0, marks=pytest.mark.slow)
            for feedback in ("none", "draft", "two drafts")
        ),
    ],
)
def test_a_reference_tells_nothing_of_another(feedback, place, build, regions, tokens):
    """The feedback reads no reference: not this one, and not the image's other one."""
    captioner = build(feedback, plain_rate=0.0)
    tokens = tokens.numpy()
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
