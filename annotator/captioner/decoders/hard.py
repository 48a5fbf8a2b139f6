"""Hard attention: one region a word, chosen at random and learned by REINFORCE."""

import typing

import keras
import tensorflow as tf

from annotator.captioner.decoders.decoder import Prepared
from annotator.captioner.decoders.soft import SoftDecoder


@keras.saving.register_keras_serializable(package="annotator")
class HardDecoder(SoftDecoder):
    """`SoftDecoder` that in training sees one sampled region a word.

    The weights of the attention are the probabilities of the regions. Words are
    learned by cross entropy as ever; a choice of regions is made more probable by
    how much better it explains its caption than captions were explained so far:

        gradient of  -(log p(y|s) - b) log p(s) * reward - entropy * H(p)

    with a moving average b of log p(y|s). A caption is explained by the log
    probability of all its words. As published, for half of the captions the
    expected context takes the place of the sampled one, which steadies the
    gradient. Outside of training it is always the expected context.

    Args:
        vocabulary_size: V, number of words.
        reward: Factor of the REINFORCE term.
        entropy: Factor of the entropy of the choices.
        expected_rate: Share of the captions trained on the expected context.
        baseline_momentum: Share of the old baseline kept at each step.
        seed: Of the choices.
        **kwargs: See `AttendingDecoder`.

    Reference: Xu et al., Show, Attend and Tell, https://arxiv.org/abs/1502.03044,
    section 4.1.
    """

    extra_names = ("choice_log_probs", "entropy")

    def __init__(
        self,
        vocabulary_size: int,
        reward: float = 0.1,
        entropy: float = 0.002,
        expected_rate: float = 0.5,
        baseline_momentum: float = 0.9,
        seed: int = 0,
        **kwargs: typing.Any,
    ) -> None:
        super().__init__(vocabulary_size, **kwargs)
        self.reward = reward
        self.entropy = entropy
        self.expected_rate = expected_rate
        self.baseline_momentum = baseline_momentum
        self.seed = seed
        self.seed_generator = keras.random.SeedGenerator(seed)

    def build_layers(self, regions_shape: tuple) -> None:
        super().build_layers(regions_shape)
        self.baseline = self.add_weight(
            shape=(),
            initializer="zeros",
            trainable=False,
            aggregation="mean",
            name="baseline",
        )

    def auxiliary_loss(
        self,
        states: dict[str, tf.Tensor],
        word_log_probs: tf.Tensor,
        real: tf.Tensor,
        training: bool = False,
    ) -> tf.Tensor | float:
        if "choice_log_probs" not in states:
            return 0.0
        real = tf.cast(real, tf.float32)
        explained = tf.stop_gradient(
            tf.reduce_sum(word_log_probs * real, axis=-1, keepdims=True)
        )  # [B, C, 1]
        baseline = tf.convert_to_tensor(self.baseline.value)
        is_caption = tf.reduce_max(real, axis=-1, keepdims=True)
        mean = tf.math.divide_no_nan(
            tf.reduce_sum(explained), tf.reduce_sum(is_caption)
        )
        kept = self.baseline_momentum
        self.baseline.assign(kept * baseline + (1 - kept) * mean)
        gain = (explained - baseline) * states["choice_log_probs"]
        gain = self.reward * gain + self.entropy * states["entropy"]
        return -tf.reduce_sum(gain * real)

    def _noise(self, steps, rows, regions, training):
        """Gumbel noise `[T, N, R]`, and for each row whether it samples at all."""
        if not training:
            return None
        uniform = keras.random.uniform(
            [steps, rows, regions], 1e-20, 1.0, seed=self.seed_generator
        )
        chance = keras.random.uniform([1, rows, 1], seed=self.seed_generator)
        samples = tf.cast(chance >= self.expected_rate, tf.float32)
        noise = -tf.math.log(-tf.math.log(uniform))
        return tf.concat([noise, tf.repeat(samples, steps, axis=0)], axis=-1)

    def _look(
        self,
        hidden: tf.Tensor,
        prepared: Prepared,
        region_weights: tf.Tensor | None = None,
        noise: tf.Tensor | None = None,
    ) -> tuple[tf.Tensor, tf.Tensor, list[tf.Tensor]]:
        context, weights, _ = super()._look(hidden, prepared, region_weights)
        if noise is None:
            return context, weights, []
        noise, samples = noise[:, :-1], noise[:, -1]
        log_probs = tf.math.log(tf.maximum(weights, 1e-20))
        # The largest of the noisy log probabilities is a draw from them.
        choice = tf.argmax(log_probs + noise, axis=-1, output_type=tf.int32)
        images = tf.shape(prepared["regions"])[0]
        rows_per_image = tf.shape(choice)[0] // images
        image = tf.repeat(tf.range(images), rows_per_image)
        chosen = tf.gather_nd(prepared["regions"], tf.stack([image, choice], axis=1))
        if region_weights is not None and self.reweighs == "regions":
            factor = tf.gather(region_weights, choice, axis=1, batch_dims=1)
            chosen *= tf.cast(factor, chosen.dtype)[:, None]
        context = tf.where(samples[:, None] > 0, chosen, context)
        choice_log_probs = tf.gather(log_probs, choice, axis=1, batch_dims=1) * samples
        entropy = -tf.reduce_sum(weights * log_probs, axis=-1)
        return context, weights, [choice_log_probs, entropy]

    def get_config(self) -> dict:
        return {
            **super().get_config(),
            "reward": self.reward,
            "entropy": self.entropy,
            "expected_rate": self.expected_rate,
            "baseline_momentum": self.baseline_momentum,
            "seed": self.seed,
        }
