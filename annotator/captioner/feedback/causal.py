"""Text feedback from the words written so far, without a separate draft."""

import keras
import tensorflow as tf

from annotator.captioner.decoders.decoder import group_rows
from annotator.captioner.feedback.draft import TextFeedback


@keras.saving.register_keras_serializable(package="annotator")
class CausalTextFeedback(TextFeedback):
    """Weighs the regions for word t by the states of a first run before t.

    The formulas are those of `TextFeedback`, with a sum over the states < t in the
    place of the sum over the draft, so that every word has region weights of its
    own; before the first word they are all 1. With r rounds the decoder runs r + 1
    times side by side, run j steered by run j - 1.

    The reference caption of a training image reaches word t only through the words
    before t, as it does without feedback.
    """

    causal = True

    def states(self, decoder, prepared, tokens, training=False):
        """`Decoder.states` after all rounds.

        Args:
            decoder: a `Decoder` with attention.
            prepared: what it made of the regions.
            tokens: integers `[B, C, T]`.

        Returns:
            The dict of `Decoder.states`, with `plain_attention` `[B, C, T, L, R]`,
            the attention weights of the run without feedback, and of the last round
            `word_weights` `[B, C, T, T]`, alpha over the states before each t (before
            the first word all are 0), and `region_weights` `[B, C, T, R]`.
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

    def initial_state(self, prepared):
        """The state before `<start>`: of all runs, and of the sums between them."""
        initial = prepared["initial"]
        rows = tf.shape(initial[0])[0]
        nothing = (
            tf.fill([rows], tf.float32.min),  # largest score so far
            tf.zeros([rows]),  # sum of exp(score - largest)
            tf.zeros([rows, initial[0].shape[-1]]),  # the same sum, weighing states
        )
        return (initial,) * (self.rounds + 1), (nothing,) * self.rounds

    def step_states(self, decoder, tokens, state, prepared, keys):
        """`Decoder.step_states` after all rounds.

        Args:
            tokens: integers `[N]`.
            state: from `initial_state` or from the step before.
            prepared: what the decoder made of the regions.
            keys: from `project`.

        Returns:
            hidden `[N, H]`, the new state, attention weights `[N, L, R]`.
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
            scores = self.word_scores(hidden)
            highest = tf.maximum(largest, scores)
            old, new = tf.exp(largest - highest), tf.exp(scores - highest)
            weighed *= old[:, None]
            weighed += new[:, None] * tf.cast(hidden, tf.float32)
            new_sums.append((highest, total * old + new, weighed))
            hidden, run, attention = decoder.step_states(tokens, run, prepared, weights)
            new_runs.append(run)
        return hidden, (tuple(new_runs), tuple(new_sums)), attention

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
