"""The sums that the training of a captioner minimizes."""

import tensorflow as tf

from annotator.captioner.decoders.decoder import Decoder, Mask
from annotator.captioner.samplers.sampler import forbidden_words
from annotator.captioner.samplers.truncation import Truncation
from annotator.captioner.vocabulary import PAD, START

_STEP = 4  # words, of the lengths of captions


def caption_losses(
    decoder: Decoder,
    states: dict[str, tf.Tensor],
    targets: tf.Tensor,
    region_mask: Mask = None,
    label_smoothing: float = 0.0,
    attention_regularizer: float = 0.0,
    training: bool = True,
    teacher_logits: tf.Tensor | None = None,
    distillation: float = 0.0,
) -> dict[str, tf.Tensor]:
    """Sums over reference captions; see `Captioner.caption_loss`.

    Args:
        decoder: The decoder.
        states: What it made of the captions, from `Decoder.states`.
        targets: int32 `[B, C, T]`, the words after each state; padding counts nothing.
        region_mask: bool `[B, R]`, false for padding; by default there is none.
        label_smoothing: Share of the probability spread over all words.
        attention_regularizer: Factor of how unevenly the regions are attended to.
        training: Whether dropout is on.
        teacher_logits: float32 `[N, V]`, what another captioner expects in place of
            the N words that are no padding; no gradient flows to them.
        distillation: Share of the divergence from these.

    Returns:
        A dict of float32 scalars: `loss`, `cross_entropy` and `tokens`.
    """
    real = targets != PAD
    # Logits are the largest tensors of all: none for padding.
    words = tf.boolean_mask(targets, real)
    logits = decoder.logits(tf.boolean_mask(states["hidden"], real), training=training)
    losses = tf.nn.sparse_softmax_cross_entropy_with_logits(words, logits)
    cross_entropy = loss = tf.reduce_sum(losses)
    if label_smoothing:
        uniform = tf.reduce_logsumexp(logits, -1) - tf.reduce_mean(logits, -1)
        loss += label_smoothing * tf.reduce_sum(uniform - losses)
    if teacher_logits is not None:
        divergence = _divergence(teacher_logits, logits)
        loss = (1 - distillation) * loss + distillation * divergence
    if attention_regularizer and decoder.attending_layers:
        loss += attention_regularizer * _unevenness(
            states["attention_weights"], real, region_mask
        )
    word_log_probs = tf.scatter_nd(
        tf.where(real), -losses, tf.shape(real, out_type=tf.int64)
    )
    loss += decoder.auxiliary_loss(states, word_log_probs, real, training)
    return {
        "loss": loss,
        "cross_entropy": cross_entropy,
        "tokens": tf.reduce_sum(tf.cast(real, tf.float32)),
    }


def self_critical_losses(
    decoder: Decoder,
    states: dict[str, tf.Tensor],
    targets: tf.Tensor,
    rewards: tf.Tensor,
    truncation: Truncation,
    training: bool = False,
) -> dict[str, tf.Tensor]:
    """Sums over captions that the decoder drew; see `Captioner.self_critical_loss`.

    Args:
        decoder: The decoder.
        states: What it made of the captions, from `Decoder.states`.
        targets: int32 `[B, n, T]`, the words that were drawn after each state.
        rewards: float32 `[B, n]`.
        truncation: Of the distribution that they were drawn from.
        training: Whether dropout is on.

    Returns:
        A dict of float32 scalars: `loss`, `tokens`, `reward` and `captions`.
    """
    count = tf.cast(tf.shape(rewards)[1], tf.float32)
    mean = tf.reduce_mean(rewards, axis=1, keepdims=True)
    # The distance to the mean of the other n - 1.
    advantages = (rewards - mean) * count / (count - 1.0)
    real = targets != PAD
    words = tf.boolean_mask(targets, real)
    logits = decoder.logits(tf.boolean_mask(states["hidden"], real), training=training)
    # As they were drawn: among the words that may come, and the probable of these.
    last = tf.pad(targets, [[0, 0], [0, 0], [1, 0]], constant_values=START)
    second = tf.pad(last, [[0, 0], [0, 0], [1, 0]], constant_values=START)
    before = tf.stack([second[..., :-2], last[..., :-1]], axis=-1)
    logits += forbidden_words(tf.boolean_mask(before, real), tf.shape(logits)[1])
    logits = truncation(logits, kept=words)
    losses = tf.nn.sparse_softmax_cross_entropy_with_logits(words, logits)
    advantages = tf.gather_nd(advantages, tf.where(real)[:, :2])
    return {
        "loss": tf.reduce_sum(losses * advantages),
        "tokens": tf.reduce_sum(tf.cast(real, tf.float32)),
        "reward": tf.reduce_sum(rewards),
        "captions": tf.cast(tf.size(rewards), tf.float32),
    }


def _divergence(teacher_logits: tf.Tensor, logits: tf.Tensor) -> tf.Tensor:
    """Sum of the Kullback-Leibler divergences of `logits` from a teacher's, `[N, V]`.

    Hinton et al., Distilling the knowledge in a neural network,
    https://arxiv.org/abs/1503.02531, at a temperature of 1.
    """
    expected = tf.stop_gradient(tf.nn.log_softmax(teacher_logits))
    missing = expected - tf.nn.log_softmax(logits)
    return tf.reduce_sum(tf.exp(expected) * missing)


def _unevenness(
    attention_weights: tf.Tensor, real: tf.Tensor, region_mask: Mask
) -> tf.Tensor:
    """Sum of the squared differences of the regions' attention from its mean.

    Args:
        attention_weights: `[B, C, T, L, R]`.
        real: bool `[B, C, T]`, where there is a word; other steps do not count.
        region_mask: bool `[B, R]` or None.

    Returns:
        float32 scalar.
    """
    steps = tf.cast(real, tf.float32)[..., None, None]
    given = tf.reduce_sum(attention_weights * steps, axis=2)  # [B, C, L, R]
    regions = (
        tf.ones_like(given) if region_mask is None else tf.cast(region_mask, tf.float32)
    )
    if region_mask is not None:
        regions = regions[:, None, None]
    count = tf.reduce_sum(regions, axis=-1, keepdims=True)
    mean = tf.reduce_sum(given, axis=-1, keepdims=True) / tf.maximum(count, 1.0)
    return tf.reduce_sum(tf.square(given - mean) * regions)


def crop(tokens: tf.Tensor) -> tf.Tensor:
    """Captions up to the longest, whose length is rounded up to a multiple of 4.

    Few lengths are few shapes to compile.

    Args:
        tokens: int32 `[..., T]`.

    Returns:
        int32 `[..., T']`.
    """
    longest = tf.reduce_max(tf.reduce_sum(tf.cast(tokens != PAD, tf.int32), axis=-1))
    return tokens[..., : -(-longest // _STEP) * _STEP]
