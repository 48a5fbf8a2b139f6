"""Distributions of words that leave out the improbable ones."""

import dataclasses

import tensorflow as tf


@dataclasses.dataclass(frozen=True)
class Truncation:
    """A sharper or shorter form of the distribution that logits stand for.

    Logits are divided by the temperature; then the `top_k` most probable words are
    kept, and of these as many of the most probable as it takes to reach a probability
    of `top_p` (a nucleus: Holtzman et al., https://arxiv.org/abs/1904.09751).

    Args:
        temperature: Below 1 the probable words gain, above 1 they lose.
        top_k: How many words are kept; 0 for all. More if several are equal.
        top_p: What the kept words' probabilities sum up to at least; 1 for all.

    Raises:
        ValueError: When one of them is out of range.
    """

    temperature: float = 1.0
    top_k: int = 0
    top_p: float = 1.0

    def __post_init__(self) -> None:
        if self.temperature <= 0:
            raise ValueError(
                f"temperature={self.temperature} must be positive; for the most "
                "probable words use the greedy sampler."
            )
        if self.top_k < 0 or not 0 < self.top_p <= 1:
            raise ValueError(
                f"top_k={self.top_k}, top_p={self.top_p}: top_k must be 0 (all words) "
                "or more, top_p above 0 and at most 1 (all words)."
            )

    def __call__(self, logits: tf.Tensor, kept: tf.Tensor | None = None) -> tf.Tensor:
        """The logits of the other distribution.

        Args:
            logits: float32 `[N, V]`, -inf for words that may not come.
            kept: Integers `[N]`, a word of each row that stays in any case; none by
                default. It is meant for words that were drawn from this distribution
                before another rounding of the same logits left them out.

        Returns:
            float32 `[N, V]`: -inf for words that are left out.
        """
        logits = logits / self.temperature
        count = tf.shape(logits)[1]
        keep = tf.ones_like(logits, tf.bool)
        if self.top_k:
            highest = tf.math.top_k(logits, tf.minimum(self.top_k, count)).values
            keep = logits >= highest[:, -1:]
        if self.top_p < 1:
            open_logits = tf.where(keep, logits, float("-inf"))
            ranked = tf.sort(open_logits, axis=-1, direction="DESCENDING")
            chances = tf.nn.softmax(ranked)
            # The first word is kept whatever its probability is.
            needed = tf.cumsum(chances, axis=-1, exclusive=True) < self.top_p
            least = tf.where(needed, ranked, float("inf"))
            keep &= logits >= tf.reduce_min(least, axis=-1, keepdims=True)
        if kept is not None:
            keep |= tf.range(count) == tf.cast(kept, tf.int32)[:, None]
        return tf.where(keep, logits, float("-inf"))
