"""Learning from another captioner's word probabilities."""

import keras
import numpy as np
import pytest
import tensorflow as tf

from annotator.captioner import (
    Captioner,
    GreedySampler,
    StackedDecoder,
    Vocabulary,
    ensemble,
)

WORDS = ["dog", "red", "runs", "tree"]
REGIONS = tf.constant(np.random.default_rng(1).uniform(size=[2, 3, 5]), tf.float32)
# Two captions of the first image, one of the second.
TOKENS = tf.constant(
    [[[1, 5, 4, 6, 2], [1, 4, 2, 0, 0]], [[1, 7, 7, 2, 0], [0, 0, 0, 0, 0]]]
)


def build(seed):
    keras.utils.set_random_seed(seed)
    vocabulary = Vocabulary(WORDS)
    decoder = StackedDecoder(
        len(vocabulary), layers=2, units=6, attention_units=4, jit_compile=False
    )
    captioner = Captioner(vocabulary, decoder, sampler=GreedySampler(6))
    captioner.build((None, None, 5))
    for weight in captioner.trainable_weights:
        weight.assign_add(tf.random.normal(weight.shape, stddev=0.5))
    return captioner


def real_probabilities(captioner):
    """Of the words that are no padding, `[N, V]`."""
    logits = captioner.decoder(captioner.standardized(REGIONS), TOKENS[..., :-1])
    return tf.nn.softmax(logits).numpy()[TOKENS[..., 1:].numpy() != 0]


def loss_and_gradients(student, **options):
    with tf.GradientTape() as tape:
        sums = student.caption_loss(REGIONS, TOKENS, **options)
    weights = student.trainable_weights
    return sums, [
        tf.convert_to_tensor(gradient).numpy()
        for gradient in tape.gradient(sums["loss"], weights)
    ]


def the_teacher(members):
    teacher = ensemble([build(seed) for seed in range(1, members + 1)])
    teacher.trainable = False
    return teacher


@pytest.mark.parametrize("members", [1, 2])
def test_loss_and_gradient_by_hand(members):
    student, teacher = build(0), the_teacher(members)
    sums, gradients = loss_and_gradients(
        student, teacher=teacher, distillation=0.3, label_smoothing=0.1
    )
    own, expected = real_probabilities(student), 1.0
    for member in teacher.decoder.members:
        expected = expected * real_probabilities(member) ** (1 / members)
    expected = expected / expected.sum(-1, keepdims=True)
    words = TOKENS[..., 1:].numpy()
    target = 0.9 * np.eye(len(WORDS) + 4)[words[words != 0]] + 0.1 / (len(WORDS) + 4)
    cross_entropy = -(target * np.log(own)).sum()
    divergence = (expected * np.log(expected / own)).sum()
    loss = 0.7 * cross_entropy + 0.3 * divergence
    np.testing.assert_allclose(sums["loss"], loss, rtol=1e-5)
    assert float(sums["tokens"]) == len(own) == 9
    slope = (0.7 * (own - target) + 0.3 * (own - expected)).sum(0)
    bias = student.decoder.output_projection.bias
    (place,) = [i for i, w in enumerate(student.trainable_weights) if w is bias]
    np.testing.assert_allclose(gradients[place], slope, atol=1e-5)


def test_without_a_share_it_is_ordinary_training():
    student = build(0)
    plain, plain_gradients = loss_and_gradients(student, label_smoothing=0.1)
    sums, gradients = loss_and_gradients(
        student, teacher=the_teacher(2), distillation=0.0, label_smoothing=0.1
    )
    assert float(sums["loss"]) == float(plain["loss"])
    for found, expected in zip(gradients, plain_gradients, strict=True):
        np.testing.assert_array_equal(found, expected)


def test_from_itself_there_is_nothing_to_learn():
    student = build(0)
    sums, gradients = loss_and_gradients(
        student, teacher=ensemble([student]), distillation=1.0
    )
    np.testing.assert_allclose(sums["loss"], 0, atol=1e-5)
    for gradient in gradients:
        np.testing.assert_allclose(gradient, 0, atol=1e-5)


@pytest.mark.slow
def test_the_student_becomes_like_its_teacher_which_stays_as_it_is():
    student, teacher = build(0), the_teacher(2)
    before = [weight.numpy() for weight in teacher.weights]
    optimizer = keras.optimizers.Adam(0.03)

    @tf.function(autograph=False)
    def step():
        with tf.GradientTape() as tape:
            sums = student.caption_loss(
                REGIONS, TOKENS, teacher=teacher, distillation=1.0
            )
        weights = student.trainable_weights
        optimizer.apply(tape.gradient(sums["loss"], weights), weights)
        return sums["loss"]

    losses = [float(step()) for _ in range(80)]
    assert losses[-1] < 0.02 * losses[0]
    for weight, value in zip(teacher.weights, before, strict=True):
        np.testing.assert_array_equal(weight, value)
