"""The interface of the decoding strategies, and the parts they share."""

import abc
import typing
from collections.abc import Callable

import tensorflow as tf

from annotator.captioner.vocabulary import END, PAD, START, UNKNOWN

# The state of captions between two words: nested tensors with a row for each.
State: typing.TypeAlias = typing.Any
# The model as samplers know it: tokens and state to logits and the new state.
Step: typing.TypeAlias = Callable[[tf.Tensor, State], tuple[tf.Tensor, State]]


class Sampler(abc.ABC):
    """Base class of the ways to pick a caption word by word.

    A sampler works on a whole batch inside the graph and knows the model only as a
    function. It never emits `<pad>`, `<start>` or `<unk>`, nor a word three times in a
    row, and it always returns a caption of at least one word: `<end>` may not come
    first, and a caption that has none after `max_length` words stops there. Scores
    are sums of the model's own log probabilities, words and `<end>` included.

    Args:
        max_length: Most words of a caption, `<end>` not counted.
        no_repeat_ngram: n if no n words in a row may come twice in a caption, else
            0. (1 forbids every repeated word, 2 every repeated pair.)

    Call arguments:
        step: A function of tokens `[N]` and state that returns logits `[N, V]` and
            the new state. Rows of the same image stand in succession.
        state: The state before `<start>`, nested tensors with B rows.

    Output shape:
        A dict: `tokens` int32 `[B, n, max_length + 2]`, `<start>`, the words,
        `<end>` and padding; `scores` and `log_probs` float32 `[B, n]`; best first.

    Raises:
        ValueError: When a limit is out of range.
    """

    results: int = 1  # n

    def __init__(self, max_length: int = 20, no_repeat_ngram: int = 0) -> None:
        if max_length < 1 or no_repeat_ngram < 0:
            raise ValueError(
                f"max_length={max_length}, no_repeat_ngram={no_repeat_ngram}: captions "
                "need max_length >= 1, and no_repeat_ngram >= 0 (0 is off)."
            )
        self.max_length = max_length
        self.no_repeat_ngram = no_repeat_ngram

    @abc.abstractmethod
    def __call__(self, step: Step, state: State) -> dict[str, tf.Tensor]:
        """Writes captions.

        Args:
            step: See the class.
            state: See the class.

        Returns:
            See the class.
        """

    def allowed_log_probs(
        self, logits: tf.Tensor, tokens: tf.Tensor, length: tf.Tensor | int
    ) -> tf.Tensor:
        """Log probabilities of the next word, -inf where a word may not come.

        The other words keep the probability the model gives them.

        Args:
            logits: `[N, V]`.
            tokens: int32 `[N, max_length + 2]`, the captions so far.
            length: Number of words in each.

        Returns:
            float32 `[N, V]`.
        """
        log_probs = tf.nn.log_softmax(tf.cast(logits, tf.float32))
        before = tf.stack([tokens[:, tf.maximum(length - 1, 0)], tokens[:, length]], 1)
        log_probs += forbidden_words(before, tf.shape(logits)[1])
        if self.no_repeat_ngram:
            log_probs = self._without_repeats(log_probs, tokens, length)
        return log_probs

    def _without_repeats(self, log_probs, tokens, length):
        n, words = self.no_repeat_ngram, tokens[:, 1:-1]
        if n > self.max_length:
            return log_probs
        windows = tf.stack(
            [words[:, i : self.max_length - n + 1 + i] for i in range(n)], axis=-1
        )  # [N, W, n]
        last = tf.gather(words, tf.maximum(length - n + 1 + tf.range(n - 1), 0), axis=1)
        same = tf.reduce_all(windows[..., :-1] == last[:, None], axis=-1)
        complete = tf.range(tf.shape(windows)[1]) + n <= length
        penalty = tf.where(same & complete, float("-inf"), 0.0)
        rows = tf.broadcast_to(tf.range(tf.shape(words)[0])[:, None], tf.shape(same))
        indices = tf.stack([rows, windows[..., -1]], axis=-1)
        # Windows beyond the words so far end in padding, which is -inf already.
        return tf.tensor_scatter_nd_add(log_probs, indices, penalty)

    def with_all_results(self) -> "Sampler":
        """The same sampler, returning all the captions that it has in the end."""
        return self

    def start(self, state: State) -> tuple[tf.Tensor, tf.Tensor]:
        """The captions before the first step.

        Args:
            state: Nested tensors with B rows.

        Returns:
            The last tokens, int32 `[B]`, all `<start>`; and the captions so far, int32
            `[B, max_length + 2]`.
        """
        rows = tf.shape(tf.nest.flatten(state)[0])[0]
        tokens = tf.fill([rows], START)
        blank = tf.fill([rows, self.max_length + 1], PAD)
        return tokens, tf.concat([tokens[:, None], blank], axis=1)

    def get_config(self) -> dict:
        return {"max_length": self.max_length, "no_repeat_ngram": self.no_repeat_ngram}

    @classmethod
    def from_config(cls, config: dict) -> "Sampler":
        return cls(**config)


def forbidden_words(before: tf.Tensor, vocabulary_size: tf.Tensor | int) -> tf.Tensor:
    """A term for the logits that takes away the words that may not come next.

    Args:
        before: int32 `[..., 2]`, the last two tokens; `<start>` twice if there is none
            but that. After `<start>` no `<end>` may come, nor a word for the third time
            in a row.
        vocabulary_size: V.

    Returns:
        float32 `[..., V]`: -inf for words that may not come next, else 0.
    """
    word = tf.range(vocabulary_size)
    second, last = before[..., :1], before[..., 1:]
    never = (word == PAD) | (word == START) | (word == UNKNOWN)
    too_early = (last == START) & (word == END)
    third = (second == last) & (word == last)
    return tf.where(never | too_early | third, float("-inf"), 0.0)


def write_column(
    captions: tf.Tensor, column: tf.Tensor | int, tokens: tf.Tensor
) -> tf.Tensor:
    """Captions with other tokens in one column.

    Args:
        captions: int32 `[..., T]`.
        column: Index of the column.
        tokens: int32 `[...]`.

    Returns:
        int32 `[..., T]`.
    """
    here = tf.range(tf.shape(captions)[-1]) == column
    return tf.where(here, tokens[..., None], captions)


def pick_next(
    sampler: Sampler,
    choose: Callable[[tf.Tensor, tf.Tensor], tf.Tensor],
    step: Step,
    state: State,
) -> dict[str, tf.Tensor]:
    """The loop of the samplers that follow one caption an image.

    Args:
        sampler: The sampler.
        choose: A function of log probabilities `[B, V]` and the step's number that
            returns tokens `[B]`.
        step: As of a sampler's call.
        state: As of a sampler's call.

    Returns:
        The dict of a sampler's call.
    """
    tokens, captions = sampler.start(state)
    rows = tf.shape(tokens)[0]
    zeros, open_rows = tf.zeros([rows]), tf.ones([rows], tf.bool)

    def body(t, tokens, state, captions, scores, open_rows):
        logits, state = step(tokens, state)
        log_probs = sampler.allowed_log_probs(logits, captions, t)
        tokens = tf.where(open_rows, choose(log_probs, t), PAD)
        picked = tf.gather(log_probs, tokens, axis=1, batch_dims=1)
        scores += tf.where(open_rows, picked, 0.0)
        captions = write_column(captions, t + 1, tokens)
        return t + 1, tokens, state, captions, scores, open_rows & (tokens != END)

    _, _, _, captions, scores, open_rows = tf.while_loop(
        lambda t, *loop: tf.reduce_any(loop[-1]),
        body,
        (0, tokens, state, captions, zeros, open_rows),
        maximum_iterations=sampler.max_length,
    )
    end = tf.where(open_rows, END, PAD)
    captions = write_column(captions, sampler.max_length + 1, end)
    return {
        "tokens": captions[:, None],
        "scores": scores[:, None],
        "log_probs": scores[:, None],
    }
