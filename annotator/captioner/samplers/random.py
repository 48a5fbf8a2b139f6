"""Random decoding."""

import typing

import keras
import tensorflow as tf

from annotator.captioner.samplers.sampler import Sampler, State, Step, pick_next
from annotator.captioner.samplers.truncation import Truncation


@keras.saving.register_keras_serializable(package="annotator")
class RandomSampler(Sampler):
    """Draws every word from the model's distribution.

    The same seed draws the same captions for the same batch.

    Args:
        temperature: Below 1 the probable words gain, above 1 they lose. Scores stay
            the log probabilities at temperature 1.
        top_k: Draw from the k most probable words only; 0 for all.
        seed: Of the draws.
        top_p: Draw from the fewest words only whose probabilities reach this sum; 1
            for all. See `Truncation`.
        **kwargs: See `Sampler`.

    Raises:
        ValueError: As of `Truncation`.
    """

    def __init__(
        self,
        temperature: float = 1.0,
        top_k: int = 0,
        seed: tf.Tensor | int = 0,
        top_p: float = 1.0,
        **kwargs: typing.Any,
    ) -> None:
        super().__init__(**kwargs)
        self.truncation = Truncation(temperature, top_k, top_p)
        self.temperature = temperature
        self.top_k = top_k
        self.top_p = top_p
        self.seed = seed

    def __call__(self, step: Step, state: State) -> dict[str, tf.Tensor]:
        return pick_next(self, self._draw, step, state)

    def _draw(self, log_probs, t):
        logits = self.truncation(log_probs)
        # Gumbel's trick: the largest of the noisy logits is a draw from them.
        uniform = tf.random.stateless_uniform(
            tf.shape(logits), [self.seed, t], minval=1e-20
        )
        noise = -tf.math.log(-tf.math.log(uniform))
        return tf.argmax(logits + noise, axis=-1, output_type=tf.int32)

    def get_config(self) -> dict:
        return {
            **super().get_config(),
            "temperature": self.temperature,
            "top_k": self.top_k,
            "top_p": self.top_p,
            "seed": self.seed,
        }
