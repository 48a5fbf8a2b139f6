"""The words a captioner knows, and the way from text to ids and back."""

import collections
import hashlib
import os
import typing
from collections.abc import Iterable, Sequence

import keras
import numpy as np
import numpy.typing as npt
import tensorflow as tf

from annotator import files
from annotator.captioner.tokenization import tokenize, tokenize_in_graph

PAD, START, END, UNKNOWN = range(4)
SPECIAL_WORDS = ("<pad>", "<start>", "<end>", "<unk>")


@keras.saving.register_keras_serializable(package="annotator")
class Vocabulary:
    """The words of the training captions, each with an id.

    Text becomes words the way the published Flickr8k experiments do it: lower
    case, punctuation removed (`"it's" -> "its"`), split at white space.
    Ids 0 to 3 are `<pad>`, `<start>`, `<end>` and `<unk>`; the other words follow
    from the most to the least frequent, ties in alphabetical order.

    Fit it on training captions only, so that scores on other captions are honest.

    Args:
        words: The words with ids 4 and up, without the four special ones.

    Attributes:
        words: All words in the order of their ids, the special ones included.

    Raises:
        ValueError: When a word is none, or comes twice.

    Example:

    ```python
    vocabulary = Vocabulary.fit(["A dog runs.", "A dog!"], min_count=2)
    vocabulary.encode(["a dog sleeps"])  # [[1, 4, 5, 3, 2]]
    ```
    """

    words: tuple[str, ...]

    def __init__(self, words: Iterable[str]) -> None:
        words = [str(word) for word in words]
        for word in words:
            if word in SPECIAL_WORDS or tokenize(word) != [word]:
                raise ValueError(
                    f"{word!r} cannot be a word of a vocabulary: words are lower "
                    "case, without punctuation and white space. Pass what "
                    "`tokenize` returns."
                )
        if len(set(words)) != len(words):
            twice = collections.Counter(words).most_common(1)[0][0]
            raise ValueError(f"{twice!r} is listed twice. Give each word once.")
        self.words = SPECIAL_WORDS + tuple(words)
        self._ids = {word: i for i, word in enumerate(self.words)}
        self._table: tf.lookup.StaticHashTable | None = None

    @classmethod
    def fit(cls, captions: Iterable[str], min_count: int = 1) -> "Vocabulary":
        """The vocabulary of the words that occur at least `min_count` times.

        Args:
            captions: Training captions.
            min_count: How often a word must occur to get an id of its own.

        Returns:
            The vocabulary.

        Raises:
            ValueError: When no word is that frequent.
        """
        counts = collections.Counter(
            word for caption in captions for word in tokenize(caption)
        )
        kept = [word for word, count in counts.items() if count >= min_count]
        if not kept:
            raise ValueError(
                f"None of the {len(counts)} words of the captions occurs "
                f"min_count={min_count} times. Lower min_count."
            )
        return cls(sorted(kept, key=lambda word: (-counts[word], word)))

    def __len__(self) -> int:
        return len(self.words)

    def __eq__(self, other: object) -> bool:
        return isinstance(other, Vocabulary) and self.words == other.words

    def __hash__(self) -> int:
        return hash(self.words)

    def fingerprint(self) -> str:
        """A hash over all words in order: two models agree on ids if it is equal.

        Returns:
            Hexadecimal digits.
        """
        return hashlib.sha256("\n".join(self.words).encode()).hexdigest()

    def check(self, fingerprint: str, origin: str) -> None:
        """Refuses weights that were trained with another vocabulary.

        Args:
            fingerprint: What `fingerprint()` gave when the weights were saved.
            origin: Where they come from, for the message.

        Raises:
            ValueError: When the words are not the same.
        """
        if fingerprint != self.fingerprint():
            raise ValueError(
                f"{origin} was trained with another vocabulary (fingerprint "
                f"{fingerprint[:12]}, not {self.fingerprint()[:12]}): its ids mean "
                "other words. Use the vocabulary saved beside it, or a new workdir."
            )

    def encode(self, captions: Sequence[str], length: int | None = None) -> np.ndarray:
        """Captions as ids: `<start>`, the words, `<end>`, then padding.

        Args:
            captions: N of them.
            length: Number of columns T; longer captions are cut and keep their
                `<end>`. By default what the longest caption needs.

        Returns:
            int32 array `[N, T]`.

        Raises:
            ValueError: When `length` is less than 2.
        """
        rows = [[self._ids.get(w, UNKNOWN) for w in tokenize(c)] for c in captions]
        if length is None:
            length = 2 + max((len(row) for row in rows), default=0)
        _check_length(length)
        ids = np.full([len(rows), length], PAD, np.int32)
        for i, row in enumerate(rows):
            row = [START, *row[: length - 2], END]
            ids[i, : len(row)] = row
        return ids

    def encode_in_graph(self, captions: tf.Tensor, length: int) -> tf.Tensor:
        """`encode` as TensorFlow operations, for use in `tf.data` and in training.

        Args:
            captions: UTF-8 strings `[...]`.
            length: As of `encode`.

        Returns:
            int32 `[..., length]`.

        Raises:
            ValueError: When `length` is less than 2.
        """
        _check_length(length)
        words = tokenize_in_graph(tf.reshape(captions, [-1]))[:, : length - 2]
        ids = words.with_values(self._word_table().lookup(words.values))
        ends = [tf.fill([ids.nrows(), 1], special) for special in (START, END)]
        rows = tf.concat([ends[0], ids, ends[1]], axis=1)
        ids = rows.to_tensor(PAD, shape=[None, length])
        return tf.reshape(ids, tf.concat([tf.shape(captions), [length]], axis=0))

    def decode(self, ids: npt.ArrayLike) -> typing.Any:
        """Ids as text: everything up to the first `<end>` or `<pad>`.

        Args:
            ids: Integers `[..., T]`, with or without `<start>` in front.

        Returns:
            A string for one row of ids, else nested lists of strings.
        """
        ids = np.asarray(ids)
        if ids.ndim > 1:
            return [self.decode(row) for row in ids]
        words = []
        for i in ids:
            if i in (END, PAD):
                break
            if i != START:
                words.append(self.words[i])
        return " ".join(words)

    def decode_in_graph(self, ids: tf.Tensor) -> tf.Tensor:
        """`decode` as TensorFlow operations, for use inside an exported graph.

        Args:
            ids: Integer tensor `[..., T]`.

        Returns:
            String tensor `[...]`.
        """
        stop = tf.cast((ids == END) | (ids == PAD), tf.int32)
        shown = (tf.cumsum(stop, axis=-1) == 0) & (ids != START)
        words = tf.gather(tf.constant([" " + word for word in self.words]), ids)
        words = tf.where(shown, words, "")
        return tf.strings.strip(tf.strings.reduce_join(words, axis=-1))

    def _word_table(self):
        """The ids of words in the graph, made once and outside of any graph."""
        if self._table is None:
            with tf.init_scope():
                entries = tf.lookup.KeyValueTensorInitializer(
                    tf.constant(self.words), tf.range(len(self.words))
                )
                self._table = tf.lookup.StaticHashTable(entries, UNKNOWN)
        return self._table

    def save(self, path: str | os.PathLike) -> None:
        """Writes the words to a JSON file, whole or not at all.

        Args:
            path: Of the file.
        """
        files.write_json(path, self.get_config())

    @classmethod
    def load(cls, path: str | os.PathLike) -> "Vocabulary":
        """Reads what `save` wrote.

        Args:
            path: Of the file.

        Returns:
            The vocabulary.

        Raises:
            ValueError: When the file is not a saved vocabulary.
        """
        try:
            return cls(files.read_json(path)["words"])
        except (KeyError, TypeError, ValueError) as error:
            raise ValueError(
                f"{path} is not a saved vocabulary ({error}). Fit and save it again "
                "from the training captions."
            ) from error

    def get_config(self) -> dict:
        return {"words": list(self.words[len(SPECIAL_WORDS) :])}

    @classmethod
    def from_config(cls, config: dict) -> "Vocabulary":
        return cls(**config)


def _check_length(length):
    if length < 2:
        raise ValueError(f"length={length} has no room for <start> and <end>.")
