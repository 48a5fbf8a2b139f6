"""A captioner that Keras trains: `compile`, `fit`, `evaluate`, callbacks, files."""

import subprocess
import sys
import types

import keras
import numpy as np
import pytest
import tensorflow as tf

from annotator.captioner import (
    BeamSearch,
    Captioner,
    CausalTextFeedback,
    GreedySampler,
    TextFeedback,
    Vocabulary,
    build_decoder,
)
from annotator.training.captioner.batches import encode_references
from annotator.training.loop import TrainingLoop
from annotator.training.optimizers import GroupedOptimizer

R, D = 4, 6
CAPTIONS = [
    ["A dog runs .", "a dog sits on the dog"],
    ["A red cat sits.", ""],
    ["the cat's dog, it runs", "a dog runs"],
]
FEEDBACKS = {"none": None, "draft": TextFeedback, "causal": CausalTextFeedback}


def build(feedback="none", dtype="float32", dropout=0.3, decoder="stacked"):
    keras.utils.set_random_seed(7)
    vocabulary = Vocabulary.fit(c for captions in CAPTIONS for c in captions)
    options = {"jit_compile": False, "dtype": dtype}
    sizes = {"layers": 2, "units": 8, "attention_units": 5, "dropout": dropout}
    kind = FEEDBACKS[feedback]
    return Captioner(
        vocabulary,
        build_decoder(decoder, len(vocabulary), **sizes, **options),
        kind and kind(5, rounds=1, **options),
        BeamSearch(2, max_length=6),
        dtype=dtype,
    )


def some_regions():
    rng = np.random.default_rng(3)
    return tf.constant(rng.normal(2, 3, size=[3, R, D]), tf.float32)


def ragged():
    """The captions, as a data set of images with different numbers of them has them."""
    return tf.ragged.constant([[c for c in captions if c] for captions in CAPTIONS])


def ids(captioner):
    """The captions, as the training loop encodes them."""
    real = [[c for c in captions if c] for captions in CAPTIONS]
    return tf.constant(encode_references(captioner.vocabulary, real, 6))


def data(captions=None):
    captions = tf.constant(CAPTIONS) if captions is None else captions
    return tf.data.Dataset.from_tensor_slices((some_regions(), captions)).batch(3)


def adapted(*args, **options):
    captioner = build(*args, **options)
    captioner.adapt(data())
    return captioner


def loop_step(captioner, optimizer, **options):
    """A step of the training loop; its sums."""
    regions, tokens = some_regions(), ids(captioner)

    def loss(seed, regions, tokens, draft):
        return captioner.caption_loss(regions, tokens, draft, **options)

    draft = captioner.draft(regions) if captioner.feedback.reads_drafts else None
    loop = types.SimpleNamespace(strategy=tf.distribute.get_strategy())
    return TrainingLoop._descend(
        loop, optimizer, loss, "tokens", None, regions, tokens, draft
    )


@pytest.mark.parametrize(
    ("feedback", "with_feedback", "dtype"),
    [
        ("draft", True, "mixed_bfloat16"),
        ("draft", False, "float32"),
        pytest.param("draft", True, "float32", marks=pytest.mark.slow),
        pytest.param("none", True, "mixed_bfloat16", marks=pytest.mark.slow),
        pytest.param("causal", True, "float32", marks=pytest.mark.slow),
        pytest.param("causal", True, "mixed_bfloat16", marks=pytest.mark.slow),
    ],
)
def test_a_step_is_one_of_the_training_loop(feedback, with_feedback, dtype):
    """At a rate of 1 the weights of SGD move by the gradient."""
    options = {"label_smoothing": 0.1, "attention_regularizer": 0.3}
    options["with_feedback"] = with_feedback
    ours, theirs = adapted(feedback, dtype), adapted(feedback, dtype)
    start = theirs.get_weights()
    sgd = GroupedOptimizer([theirs], lambda _: keras.optimizers.SGD(1.0), 1e9)
    sums = loop_step(theirs, sgd, **options)
    ours.compile(keras.optimizers.SGD(1.0), **options)
    shown = ours.train_step((some_regions(), ragged()))
    want = {n: sums[n] / sums["tokens"] for n in ("loss", "cross_entropy")}
    for name, value in want.items():
        np.testing.assert_allclose(shown[name], value, rtol=1e-5)
    assert want["loss"] != want["cross_entropy"]
    moved = 0
    for before, one, two in zip(
        start, ours.get_weights(), theirs.get_weights(), strict=True
    ):
        np.testing.assert_allclose(one - before, two - before, rtol=1e-4, atol=1e-6)
        moved += np.any(one != before)
    assert moved > 10


def test_all_forms_of_captions_are_the_same_captions():
    captioner = build()
    captioner.compile("sgd")
    tokens = ids(captioner)

    def loss(captions):
        captioner.reset_metrics()
        return float(captioner.test_step((some_regions(), captions))["loss"])

    forms = (tokens, tf.cast(tokens, tf.int64), tf.constant(CAPTIONS), ragged())
    losses = list(map(loss, forms))
    np.testing.assert_allclose(losses, losses[0], rtol=1e-6)
    sums = captioner.caption_loss(some_regions(), tokens, training=False)
    assert losses[0] == pytest.approx(float(sums["loss"] / sums["tokens"]), rel=1e-5)
    # One caption an image needs no axis.
    first = tf.constant([captions[0] for captions in CAPTIONS])
    alone = [loss(captions) for captions in (tokens[:, :1], tokens[:, 0], first)]
    np.testing.assert_allclose(alone, alone[0], rtol=1e-6)


def test_drafts_are_the_models_own_whatever_the_references_are(monkeypatch):
    captioner = adapted("draft")
    captioner.compile(keras.optimizers.SGD(1.0))
    given = []
    loss = captioner.caption_loss

    def spy(regions, tokens, draft, **options):
        given.append(draft)
        return loss(regions, tokens, draft, **options)

    monkeypatch.setattr(captioner, "caption_loss", spy)
    own = captioner.draft(some_regions())
    for captions in (CAPTIONS, CAPTIONS[::-1]):
        captioner.test_step((some_regions(), tf.constant(captions)))
        np.testing.assert_array_equal(given.pop(), own)


def test_means_are_of_all_words_of_an_epoch():
    captioner = adapted(dropout=0.0)
    captioner.compile("sgd", label_smoothing=0.2)
    tokens = ids(captioner)
    whole = captioner.caption_loss(some_regions(), tokens, None, label_smoothing=0.2)
    for rows in (slice(0, 1), slice(1, 3)):
        shown = captioner.test_step((some_regions()[rows], tokens[rows]))
    for name in ("loss", "cross_entropy"):
        want = float(whole[name] / whole["tokens"])
        assert float(shown[name]) == pytest.approx(want, rel=1e-5)


def test_what_cannot_be_learned_is_said():
    captioner = build()
    with pytest.raises(ValueError, match=r"label_smoothing must be in \[0, 1\), got 1"):
        captioner.compile(label_smoothing=1.0)
    with pytest.raises(ValueError, match="must not be negative, got -1"):
        captioner.compile(attention_regularizer=-1.0)
    captioner.compile("sgd")
    regions = some_regions()
    for batch, told in (
        ((regions, tf.constant(CAPTIONS), tf.ones([3])), "no sample weights"),
        (regions, "not regions alone"),
        ((regions[0], tf.constant(CAPTIONS)), r"got \(4, 6\)"),
        ((regions, tf.ones([3, 2, 5])), r"got float32 of shape \(3, 2, 5\)"),
        ((regions, tf.zeros([3], tf.int32)), r"got int32 of shape \(3,\)"),
        ((regions, tf.constant([CAPTIONS])), r"got string of shape \(1, 3, 2\)"),
    ):
        with pytest.raises(ValueError, match=told):
            captioner.train_step(batch)


def test_fit_with_callbacks_and_files(tmp_path):
    """What `fit` leaves: a history, the best weights, and a file that goes on."""
    captioner = adapted(dropout=0.0, decoder="nic")
    captioner.decode_by(GreedySampler(6))
    optimizer = keras.optimizers.Adam(0.05, global_clipnorm=5.0)
    captioner.compile(optimizer, label_smoothing=0.1)
    best = tmp_path / "best.keras"
    callbacks = [
        keras.callbacks.ModelCheckpoint(best, monitor="val_loss", save_best_only=True),
        keras.callbacks.EarlyStopping(monitor="val_loss", patience=2, min_delta=9.0),
    ]
    options = {"validation_data": data(), "verbose": 0}
    history = captioner.fit(data(), epochs=9, callbacks=callbacks, **options).history
    assert set(history) == {"loss", "cross_entropy", "val_loss", "val_cross_entropy"}
    # No epoch is better by 9: the third is the last that patience allows.
    assert len(history["loss"]) == 3
    assert history["loss"] == sorted(history["loss"], reverse=True)
    assert history["val_loss"] == sorted(history["val_loss"], reverse=True)
    copy = keras.saving.load_model(best)
    assert copy.get_compile_config() == captioner.get_compile_config()
    assert int(copy.optimizer.iterations) == 3
    # Weights and optimizer go on as if nothing had happened.
    batch = (some_regions(), tf.constant(CAPTIONS))
    loss = float(copy.test_step(batch)["loss"])
    assert loss == pytest.approx(history["val_loss"][-1], rel=1e-5)
    assert captioner.train_step(batch) and copy.train_step(batch)
    for one, two in zip(captioner.get_weights(), copy.get_weights(), strict=True):
        np.testing.assert_allclose(one, two, rtol=1e-5, atol=1e-6)
    found = copy.predict(data(), verbose=0)["tokens"]
    np.testing.assert_array_equal(found, copy.generate(some_regions())["tokens"])


@pytest.mark.slow
@pytest.mark.parametrize("dtype", ["float32", "mixed_bfloat16", "mixed_float16"])
@pytest.mark.parametrize("feedback", ["draft", "causal"])
def test_fit_learns_with_feedback_in_mixed_precision(feedback, dtype, tmp_path):
    captioner = build(feedback, dtype, dropout=0.0)
    first = tf.constant([captions[0] for captions in CAPTIONS])
    captioner.adapt(data(first))
    captioner.compile(keras.optimizers.Adam(0.03), steps_per_execution=2)
    captioner.fit(data(first).repeat(2), epochs=40, verbose=0)
    wanted = [b"a dog runs", b"a red cat sits", b"the cats dog it runs"]
    assert captioner.predict(data(first), verbose=0)["captions"].tolist() == wanted
    captioner.save(tmp_path / "c.keras")
    copy = keras.saving.load_model(tmp_path / "c.keras")
    assert type(copy.optimizer) is type(captioner.optimizer)
    losses = [c.evaluate(data(first), verbose=0)[0] for c in (captioner, copy)]
    assert losses[0] == pytest.approx(losses[1], rel=1e-4)


REPLICAS = """
import keras, numpy as np, tensorflow as tf
from annotator.captioner import BeamSearch, Captioner, Vocabulary, build_decoder

CAPTIONS = ["a dog", "a red cat sits on the dog", "it runs", "the red cat"]
cpu = tf.config.list_physical_devices("CPU")[0]
tf.config.set_logical_device_configuration(
    cpu, [tf.config.LogicalDeviceConfiguration()] * 2
)
regions = np.random.default_rng(0).normal(size=[4, 3, 5]).astype(np.float32)
data = tf.data.Dataset.from_tensor_slices((regions, CAPTIONS)).batch(4)

def weights(strategy):
    with strategy.scope():
        keras.utils.set_random_seed(1)
        words = Vocabulary.fit(CAPTIONS)
        captioner = Captioner(words, build_decoder("nic", len(words), units=6))
        captioner.build((None, None, 5))
        captioner.compile(keras.optimizers.SGD(1.0))
    history = captioner.fit(data, verbose=0).history
    return [*captioner.get_weights(), history["loss"][0]]

one = weights(tf.distribute.OneDeviceStrategy("CPU:0"))
two = weights(tf.distribute.MirroredStrategy(["CPU:0", "CPU:1"]))
print(max(np.abs(a - b).max() for a, b in zip(one, two, strict=True)))
"""


@pytest.mark.slow
def test_replicas_take_the_step_of_one_device():
    """Their shares of a batch have other numbers of words."""
    output = subprocess.run(
        [sys.executable, "-c", REPLICAS], capture_output=True, text=True
    )
    assert not output.returncode, output.stderr
    assert float(output.stdout.split()[-1]) < 1e-5
