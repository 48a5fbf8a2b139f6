"""Text feedback from the words written so far, without a separate draft."""

import typing

import keras
import tensorflow as tf

from annotator.captioner.decoders.decoder import Decoder, Prepared
from annotator.captioner.decoders.rows import group_rows
from annotator.captioner.feedback.region_scoring import RegionScoring
from annotator.captioner.samplers.sampler import Step


@keras.saving.register_keras_serializable(package="annotator")
class CausalTextFeedback(RegionScoring):
    """Weighs the regions for word t by the states of a first run before t.

    The formulas are those of `TextFeedback`, with a sum over the states < t in the
    place of the sum over the draft, so that every word has region weights of its
    own; before the first word they are all 1. With r rounds the decoder runs r + 1
    times side by side, run j steered by run j - 1.

    The reference caption of a training image reaches word t only through the words
    before t, as it does without feedback.

    Args:
        units: Width of the joint feature u and of the hidden layer of the MLP.
        rounds: How often the regions are weighed anew; 0 is no feedback.
        jit_compile: Whether XLA compiles the scores of the regions.
        score: `"additive"`, or `"scalar"` for u of one unit and no w, as printed.
        **kwargs: Of `keras.layers.Layer`.

    Raises:
        ValueError: When `rounds` is negative.
    """

    def check(self, decoder: Decoder) -> None:
        if not decoder.attending_layers:
            raise ValueError(
                f"{type(decoder).__name__} has no attention that causal feedback could "
                "steer. Use the feedback from drafts, or none."
            )

    def states(
        self,
        decoder: Decoder,
        prepared: Prepared,
        tokens: tf.Tensor,
        training: bool = False,
    ) -> dict[str, tf.Tensor]:
        """`Decoder.states` after all rounds.

        Args:
            decoder: A decoder with attention.
            prepared: What it made of B images' regions.
            tokens: Integers `[B, C, T]`, from `<start>` on.
            training: Whether dropout is on.

        Returns:
            The dict of `Decoder.states`. If there is a round, also `plain_attention`
            float32 `[B, C, T, L, R]`, the attention weights of the run without
            feedback, and of the last round `word_weights` float32 `[B, C, T, T]`,
            alpha over the states before each t (before the first word all are 0),
            and `region_weights` float32 `[B, C, T, R]`.
        """
        keys, region_mask = self.project(prepared), prepared["region_mask"]
        b, c, t = tf.unstack(tf.shape(tokens))
        states = decoder.states(prepared, tokens, training=training)
        plain = states["attention_weights"]
        for _ in range(self.rounds):
            features, word_weights, known = self._prefix_features(states["hidden"])
            features = tf.reshape(features, [b, c * t, features.shape[-1]])
            weights = self.region_weights(features, keys, region_mask)
            weights = tf.reshape(weights, [b, c, t, tf.shape(weights)[-1]])
            weights = tf.where(known[:, None], weights, 1.0)
            states = decoder.states(prepared, tokens, weights, training)
            states["plain_attention"] = plain
            states["word_weights"] = word_weights
            states["region_weights"] = weights
        return states

    def stepper(self, decoder: Decoder, prepared: Prepared) -> tuple[Step, typing.Any]:
        keys = self.project(prepared)

        def step(tokens, state):
            hidden, state, _ = self.step_states(decoder, tokens, state, prepared, keys)
            return decoder.logits(hidden), state

        return step, self.initial_state(prepared)

    def initial_state(self, prepared: Prepared) -> typing.Any:
        """The state before `<start>`: of all runs, and of the sums between them.

        Args:
            prepared: What the decoder made of B images' regions.

        Returns:
            A pair of tuples: the decoder's state for each run, and for each round the
            largest score so far `[B]`, the sum of `exp(score - largest)` `[B]`, and
            the same sum with the states as its weights `[B, H]`.
        """
        initial = prepared["initial"]
        first = tf.nest.flatten(initial)[0]
        rows = tf.shape(first)[0]
        no_sums = (
            tf.fill([rows], tf.float32.min),
            tf.zeros([rows]),
            tf.zeros([rows, first.shape[-1]]),
        )
        return (initial,) * (self.rounds + 1), (no_sums,) * self.rounds

    def step_states(
        self,
        decoder: Decoder,
        tokens: tf.Tensor,
        state: typing.Any,
        prepared: Prepared,
        keys: tf.Tensor,
    ) -> tuple[tf.Tensor, typing.Any, tf.Tensor]:
        """`Decoder.step_states` after all rounds.

        Args:
            decoder: A decoder with attention.
            tokens: Integers `[N]`.
            state: From `initial_state` or from the step before.
            prepared: What the decoder made of B images' regions.
            keys: From `project`.

        Returns:
            Hidden states `[N, H]`, the new state, attention weights `[N, L, R]`.
        """
        images = tf.shape(keys)[0]
        runs, sums = state
        hidden, run, attention = decoder.step_states(tokens, runs[0], prepared)
        new_runs, new_sums = [run], []
        for run, (largest, total, weighed) in zip(runs[1:], sums, strict=True):
            known = total[:, None] > 0
            features = weighed / tf.where(known, total[:, None], 1.0)
            features = group_rows(tf.cast(features, hidden.dtype), images)
            weights = self.region_weights(features, keys, prepared["region_mask"])
            weights = tf.reshape(weights, [-1, tf.shape(weights)[-1]])
            weights = tf.where(known, weights, 1.0)
            new_sums.append(self._add_state(largest, total, weighed, hidden))
            hidden, run, attention = decoder.step_states(tokens, run, prepared, weights)
            new_runs.append(run)
        return hidden, (tuple(new_runs), tuple(new_sums)), attention

    def _add_state(self, largest, total, weighed, hidden):
        """The sums of `initial_state` with one more state `[N, H]`."""
        scores = self.word_scores(hidden)
        highest = tf.maximum(largest, scores)
        old, new = tf.exp(largest - highest), tf.exp(scores - highest)
        weighed *= old[:, None]
        weighed += new[:, None] * tf.cast(hidden, tf.float32)
        return highest, total * old + new, weighed

    def _prefix_features(self, hidden):
        """For each t the attended feature `[B, C, T, H]` of the states before t.

        Also returns alpha `[B, C, T, T]`, and bool `[1, T, 1]`: whether there is any
        state before t.
        """
        steps = tf.shape(hidden)[2]
        before = self._visible(steps)
        scores = self.word_scores(hidden)[:, :, None]  # [B, C, 1, T]
        weights = tf.nn.softmax(tf.where(before, scores, scores.dtype.min))
        weights = tf.where(before, weights, 0.0)  # row 0 sees nothing
        features = tf.cast(weights, hidden.dtype) @ hidden
        return features, weights, tf.reduce_any(before, axis=1)[None, :, None]

    def _visible(self, steps):
        """bool `[T, T]`: row t may see the state of column j, which is j < t."""
        t = tf.range(steps)
        return t[None] < t[:, None]
