"""The scores of words and regions that all text feedback learns."""

import typing

import keras
import tensorflow as tf

from annotator.captioner.decoders.additive_attention import AdditiveAttention
from annotator.captioner.decoders.decoder import Mask, Prepared
from annotator.captioner.feedback.feedback import Feedback
from annotator.captioner.feedback.scalar_score import ScalarScore

# How a region is scored against the text.
SCORES = ("additive", "scalar")


class RegionScoring(keras.layers.Layer, Feedback):
    """Base class of feedback that weighs regions by states over text.

    It computes the terms of `TextFeedback`'s formulas. A subclass says over which
    states they are taken, and when.

    Args:
        units: Width of the joint feature u and of the hidden layer of the MLP.
        rounds: How often the regions are weighed anew; 0 is no feedback.
        jit_compile: Whether XLA compiles the scores of the regions.
        score: How a region is scored against the text: `"additive"`, by the formulas,
            or `"scalar"`, by `ScalarScore`.
        **kwargs: Of `keras.layers.Layer`.

    Raises:
        ValueError: When `rounds` is negative, or `score` is neither.
    """

    def __init__(
        self,
        units: int = 512,
        rounds: int = 1,
        jit_compile: bool = True,
        score: str = "additive",
        **kwargs: typing.Any,
    ) -> None:
        super().__init__(**kwargs)
        if rounds < 0:
            raise ValueError(f"rounds={rounds} is negative; 0 turns feedback off.")
        if score not in SCORES:
            raise ValueError(f"score must be one of {SCORES}, got {score!r}.")
        self.units = units
        self.rounds = rounds
        self.jit_compile = jit_compile
        self.score = score
        policy = self.dtype_policy
        self.word_hidden = keras.layers.Dense(
            units, activation="tanh", dtype=policy, name="word_hidden"
        )
        self.word_score = keras.layers.Dense(1, dtype=policy, name="word_score")
        self.joint: AdditiveAttention | ScalarScore
        if score == "scalar":
            self.joint = ScalarScore(dtype=policy, name="joint")
        else:
            self.joint = AdditiveAttention(
                units, jit_compile=jit_compile, dtype=policy, name="joint"
            )

    def build(self, hidden_shape: tuple, regions_shape: tuple) -> None:
        self.word_hidden.build(hidden_shape)
        self.word_score.build((None, None, self.units))
        self.joint.build(hidden_shape, regions_shape)
        self.built = True

    def project(self, prepared: Prepared) -> tf.Tensor:
        """The keys of the original regions, the same in every round.

        Args:
            prepared: What a decoder made of B images' regions.

        Returns:
            float32 `[B, R, A]`.
        """
        return self.joint.project(prepared["regions"])

    def word_scores(self, hidden: tf.Tensor) -> tf.Tensor:
        """The scores e of words.

        Args:
            hidden: States `[..., H]`.

        Returns:
            float32 `[...]`.
        """
        return tf.cast(self.word_score(self.word_hidden(hidden))[..., 0], tf.float32)

    def region_weights(
        self,
        features: tf.Tensor,
        keys: tf.Tensor,
        region_mask: Mask = None,
    ) -> tf.Tensor:
        """The weights R beta of regions, whose mean is 1.

        Args:
            features: The features s of Q texts of each image, `[B, Q, H]`.
            keys: From `project`, `[B, R, A]`.
            region_mask: bool `[B, R]`, false for padding; no region is by default.

        Returns:
            float32 `[B, Q, R]`.
        """
        weights = self.joint.attention_weights(features, keys, region_mask)
        if region_mask is None:
            return weights * tf.cast(tf.shape(weights)[-1], tf.float32)
        count = tf.reduce_sum(tf.cast(region_mask, tf.float32), axis=1)
        return weights * count[:, None, None]

    def get_config(self) -> dict:
        return {
            **super().get_config(),
            "units": self.units,
            "rounds": self.rounds,
            "jit_compile": self.jit_compile,
            "score": self.score,
        }
