"""Beam search for a whole batch of images inside the graph."""

import typing

import keras
import tensorflow as tf

from annotator.captioner.samplers.sampler import Sampler, State, Step, write_column
from annotator.captioner.vocabulary import END, PAD, START

# In place of -inf where differences are taken.
_IMPOSSIBLE = -1e30


@keras.saving.register_keras_serializable(package="annotator")
class BeamSearch(Sampler):
    """Follows the `beams` most probable captions of every image at once.

    At each step the `2 * beams` best continuations are ranked. A caption that ends
    among the first `beams` of them is finished and kept; the best that do not end
    stay open. Finished captions are compared by

        log p(caption) / (number of words + 1) ** length_penalty

    where the one stands for `<end>`, which has to come after `max_length` words. (A
    caption for which it is impossible is returned only if too few finished.) An image
    is done when none of its open captions can reach the results any more, whatever
    words follow; the search stops when all images are done. An image's captions do
    not depend on the other images of the batch.

    Args:
        beams: K, captions followed for each image.
        length_penalty: 0 prefers short captions, 1 compares the mean log
            probability of a word.
        results: n, finished captions returned for each image, at most `beams`.
        **kwargs: See `Sampler`.

    Output shape:
        See `Sampler`; `scores` are normalized by length, `log_probs` are not.
        Where there are fewer captions than asked for, the last hold only `<start>`
        and `<end>` with a score of -inf.

    Raises:
        ValueError: When `results` is out of range.

    References: Graves, Sequence transduction with recurrent neural networks; the
    ranking and stopping rule are those of Ott et al., fairseq.
    """

    def __init__(
        self,
        beams: int = 5,
        length_penalty: float = 0.7,
        results: int = 1,
        **kwargs: typing.Any,
    ) -> None:
        super().__init__(**kwargs)
        if not 1 <= results <= beams:
            raise ValueError(
                f"results={results} with beams={beams}: a search returns between 1 "
                "caption and as many as it has beams."
            )
        self.beams = beams
        self.length_penalty = length_penalty
        self.results = results

    def with_all_results(self) -> Sampler:
        return BeamSearch.from_config({**self.get_config(), "results": self.beams})

    def __call__(self, step: Step, state: State) -> dict[str, tf.Tensor]:
        tokens, captions = self.start(state)
        images = tf.shape(tokens)[0]
        # The first step needs one row an image: all beams would be the same.
        logits, state = step(tokens, state)
        open_scores = tf.zeros([images, 1])
        finished = (
            tf.fill([images, self.beams, self.max_length + 2], PAD),
            tf.fill([images, self.beams], _IMPOSSIBLE),  # normalized scores
            tf.fill([images, self.beams], _IMPOSSIBLE),  # log probabilities
        )
        loop = self._extend(0, logits, state, captions[:, None], open_scores, finished)

        def body(t, state, captions, open_scores, *finished):
            tokens = tf.reshape(captions[:, :, t], [-1])
            logits, state = step(tokens, state)
            return self._extend(t, logits, state, captions, open_scores, finished)

        def undecided(t, state, captions, open_scores, *finished):
            return tf.reduce_any(self._can_improve(t, open_scores, finished[1]))

        t, state, captions, open_scores, *finished = tf.while_loop(
            undecided, body, loop, maximum_iterations=self.max_length - 1
        )

        def end():
            """The longest captions, ended."""
            logits, _ = step(tf.reshape(captions[:, :, t], [-1]), state)
            log_probs = tf.nn.log_softmax(tf.cast(logits, tf.float32))[:, END]
            totals = open_scores + tf.reshape(log_probs, tf.shape(open_scores))
            still_open = self._can_improve(t, open_scores, finished[1])
            totals = tf.where(still_open[:, None], totals, _IMPOSSIBLE)
            totals = tf.maximum(totals, _IMPOSSIBLE)
            ended = write_column(captions, t + 1, tf.fill(tf.shape(totals), END))
            left = tf.where(totals > _IMPOSSIBLE, _IMPOSSIBLE, open_scores)
            return left, *self._keep(finished, ended, totals, t)

        open_scores, *finished = tf.cond(
            undecided(t, state, captions, open_scores, *finished),
            end,
            lambda: (open_scores, *finished),
        )
        return self._results(captions, open_scores, finished)

    def _extend(self, t, logits, state, captions, open_scores, finished):
        """Adds word t + 1 to open captions `[B, k, T]` and keeps those that end."""
        images, k = tf.unstack(tf.shape(open_scores))
        flat = tf.reshape(captions, [images * k, self.max_length + 2])
        log_probs = self.allowed_log_probs(logits, flat, t)
        width = tf.shape(log_probs)[1]
        totals = tf.reshape(open_scores, [-1, 1]) + log_probs
        totals = tf.reshape(totals, [images, k * width])
        count = tf.minimum(2 * self.beams, k * width)
        scores, indices = tf.math.top_k(totals, count)
        missing = 2 * self.beams - count
        scores = tf.pad(scores, [[0, 0], [0, missing]], constant_values=_IMPOSSIBLE)
        indices = tf.pad(indices, [[0, 0], [0, missing]])
        scores = tf.maximum(scores, _IMPOSSIBLE)
        parents, tokens = indices // width, indices % width
        captions = tf.gather(captions, parents, axis=1, batch_dims=1)
        captions = write_column(captions, t + 1, tokens)
        ends = tokens == END
        still_open = self._can_improve(t, open_scores, finished[1])
        finished = self._keep(
            finished,
            captions,
            tf.where(ends & still_open[:, None], scores, _IMPOSSIBLE),
            t,
        )
        scores, order = tf.math.top_k(tf.where(ends, _IMPOSSIBLE, scores), self.beams)
        captions = tf.gather(captions, order, axis=1, batch_dims=1)
        parents = tf.gather(parents, order, axis=1, batch_dims=1)
        rows = tf.reshape(tf.range(images)[:, None] * k + parents, [-1])
        state = tf.nest.map_structure(lambda x: tf.gather(x, rows), state)
        return (t + 1, state, captions, scores, *finished)

    def _keep(self, finished, captions, log_probs, t):
        """The best of the captions finished before and of those that end now."""
        captions, log_probs = captions[:, : self.beams], log_probs[:, : self.beams]
        length = tf.cast(t + 1, tf.float32)
        scores = tf.where(
            log_probs > _IMPOSSIBLE,
            log_probs / length**self.length_penalty,
            _IMPOSSIBLE,
        )
        captions = tf.concat([finished[0], captions], axis=1)
        log_probs = tf.concat([finished[2], log_probs], axis=1)
        scores = tf.concat([finished[1], scores], axis=1)
        scores, order = tf.math.top_k(scores, self.beams)
        return (
            tf.gather(captions, order, axis=1, batch_dims=1),
            scores,
            tf.gather(log_probs, order, axis=1, batch_dims=1),
        )

    def _can_improve(self, t, open_scores, finished_scores):
        """bool `[B]`: could an open caption of t words still enter the results?"""
        # Log probabilities only fall. Divided by the length they look best at the
        # longest caption, or at the shortest for a negative penalty.
        longest = tf.cast(self.max_length + 1, tf.float32)
        length = longest if self.length_penalty >= 0 else tf.cast(t + 1, tf.float32)
        best = tf.reduce_max(open_scores, axis=1)
        bound = tf.where(
            best > _IMPOSSIBLE, best / length**self.length_penalty, _IMPOSSIBLE
        )
        return bound > finished_scores[:, self.results - 1]

    def _results(self, captions, open_scores, finished):
        length = float(self.max_length) ** self.length_penalty
        # Two groups, each best first; the finished ones go before the open ones.
        tokens = tf.concat([finished[0], captions], axis=1)
        scores = tf.concat([finished[1], open_scores / length], axis=1)
        log_probs = tf.concat([finished[2], open_scores], axis=1)
        absent = log_probs <= _IMPOSSIBLE / 2
        order = tf.argsort(tf.cast(absent, tf.int32), axis=1, stable=True)
        order = order[:, : self.results]
        tokens, scores, log_probs, absent = (
            tf.gather(x, order, axis=1, batch_dims=1)
            for x in (tokens, scores, log_probs, absent)
        )
        tokens = tf.where(absent[..., None], PAD, tokens)
        return {
            "tokens": _terminate(tokens),
            "scores": tf.where(absent, float("-inf"), scores),
            "log_probs": tf.where(absent, float("-inf"), log_probs),
        }

    def get_config(self) -> dict:
        return {
            **super().get_config(),
            "beams": self.beams,
            "length_penalty": self.length_penalty,
            "results": self.results,
        }


def _terminate(captions):
    """Sees to it that captions `[..., T]` begin with `<start>` and have an `<end>`."""
    captions = write_column(captions, 0, tf.fill(tf.shape(captions)[:-1], START))
    ended = tf.reduce_any(captions == END, axis=-1, keepdims=True)
    used = tf.reduce_sum(tf.cast(captions != PAD, tf.int32), axis=-1, keepdims=True)
    last = tf.range(tf.shape(captions)[-1]) == used
    return tf.where(last & ~ended, END, captions)
