"""Greedy decoding."""

import keras
import tensorflow as tf

from annotator.captioner.samplers.sampler import Sampler, State, Step, pick_next


@keras.saving.register_keras_serializable(package="annotator")
class GreedySampler(Sampler):
    """Takes the most probable word at every step; see `Sampler`."""

    def __call__(self, step: Step, state: State) -> dict[str, tf.Tensor]:
        return pick_next(self, _best, step, state)


def _best(log_probs, t):
    return tf.argmax(log_probs, axis=-1, output_type=tf.int32)
