"""Words that learn from single images: accepted, rejected, and taken back."""

from collections.abc import Iterable, Sequence

import numpy as np

from annotator.tagger.lift.cooccurrence import TEMPERATURE, word_shares
from annotator.tagger.teaching_basis import PRIOR_IMAGES, SHORTEST, TeachingBasis
from annotator.tagger.word_means import NEVER, WordMeans

# A word of the tagger counts as at most so many images, so that a person's few matter.
BASE_IMAGES = 20
# As by so many images at the middle of all, where a word knows nothing against it.
REJECTED_PRIOR = 5
_PRECISION = 1024  # `z . z` in multiples of 1 / 1024, whose sums are exact


class TaughtWords:
    """Linear scores of words, from a tagger's sums and from a person's corrections.

    The vector of a word is the mean P of its images minus the mean G of the images that
    it was rejected for, and its score is `z . m - margin * t` with m = (P - G) at unit
    length and t the typical similarity of the word's own images, each left out of P, as
    in `whitened_means`. G is the sum over the rejected divided by their number plus
    `REJECTED_PRIOR`. t is shrunk to the tagger's average: a word of one image takes the
    average, which only images quite like it reach.

    The corrections are sums of vectors in half precision, which are exact (see
    `WordMeans`): scores depend on what is accepted and rejected, and neither on its
    order nor on what was taken back.

    Args:
        basis: What the tagger hands on.
        base_images: Where a word of the tagger has more images, they count as so many;
            `None` for no limit.

    Attributes:
        words: The words: the tagger's, then those that were added.

    Source: "Image annotation based on middle-layer convolution features of deep
    learning", section on word vectors; Rocchio, "Relevance feedback in information
    retrieval", 1971.
    """

    def __init__(
        self, basis: TeachingBasis, base_images: int | None = BASE_IMAGES
    ) -> None:
        self.basis = basis
        self.words = list(basis.words)
        self._places = {word: place for place, word in enumerate(self.words)}
        limit = np.inf if base_images is None else base_images
        counts = basis.counts.astype(np.float64)
        self._weights = np.minimum(1.0, limit / np.maximum(counts, 1))
        self._accepted = WordMeans(self.words, basis.dimensions)
        self._rejected = WordMeans(self.words, basis.dimensions)
        self._squares = np.zeros(len(self.words))
        self._average = basis.average
        self._base_images = base_images
        self._untaught: tuple[np.ndarray, np.ndarray] | None = None

    def place(self, word: str) -> int:
        """The place of a word in `words`.

        Raises:
            KeyError: When there is no such word.
        """
        return self._places[word]

    def add_word(self, word: str) -> int:
        """Adds a word that is not known yet; returns the place of the word."""
        if word not in self._places:
            self._places[word] = len(self.words)
            self.words.append(word)
            self._accepted.add_words([word])
            self._rejected.add_words([word])
            self._squares = np.append(self._squares, 0.0)
        return self._places[word]

    def add(self, word: str, vectors: np.ndarray, accepted: bool = True) -> None:
        """Learns that images carry a word, or do not.

        Args:
            word: One of `words`.
            vectors: Whitened vectors, float16 `[B, p]`.
            accepted: Whether they carry it.

        Raises:
            KeyError: When there is no such word.
            ValueError: When the vectors are of another type or length.
        """
        self._change(word, vectors, accepted, 1)

    def remove(self, word: str, vectors: np.ndarray, accepted: bool = True) -> None:
        """Forgets images, exactly.

        Args:
            word: As it was added.
            vectors: As they were added.
            accepted: As it was added.

        Raises:
            KeyError: As of `add`.
            ValueError: As of `add`, or when they were not added.
        """
        self._change(word, vectors, accepted, -1)

    def taught(self, word: str) -> tuple[int, int]:
        """How many images were accepted and rejected for a word."""
        place = self._places[word]
        return int(self._accepted.counts[place]), int(self._rejected.counts[place])

    def linear(
        self, places: Sequence[int] | None = None
    ) -> tuple[np.ndarray, np.ndarray]:
        """Fits the scores of words.

        Args:
            places: The words' places; all by default.

        Returns:
            `(kernel, bias)`, float32 `[p, k]` and `[k]`: scores are
            `z @ kernel + bias`, with `NEVER` as the bias of words without images.
        """
        chosen: Iterable[int] = range(len(self.words)) if places is None else places
        fitted = [self._fit(place) for place in chosen]
        if not fitted:
            return np.zeros((self.basis.dimensions, 0), np.float32), np.zeros(0)
        kernels, biases = zip(*fitted, strict=True)
        return np.stack(kernels, axis=1).astype(np.float32), np.float32(biases)

    def lifts(self, vectors: np.ndarray) -> np.ndarray:
        """What other words add to those of the tagger, see `LabelLift`.

        They are those that the tagger sees in the photographs: what is taught since
        moves a word's own score alone.

        Args:
            vectors: Whitened vectors, float `[B, p]`.

        Returns:
            float32 `[B, W]` for the W words of the tagger.
        """
        basis = self.basis
        if not len(basis.lifts):
            return np.zeros((len(vectors), len(basis.words)), np.float32)
        if self._untaught is None:
            self._untaught = TaughtWords(basis, self._base_images).linear()
        kernel, bias = self._untaught
        shares = word_shares(
            np.float32(vectors) @ kernel + bias, 1 / (TEMPERATURE * basis.sharpness)
        )
        return np.float32(shares) @ np.float32(basis.lifts)

    def _change(self, word, vectors, accepted, sign):
        vectors = np.asarray(vectors)
        if vectors.dtype != np.float16 or vectors.ndim != 2:
            raise ValueError(
                f"Expected vectors float16 [B, {self.basis.dimensions}], got "
                f"{vectors.dtype} {list(vectors.shape)}: sums of others are not exact."
            )
        place = self._places[word]
        tags = np.zeros((len(vectors), len(self.words)), bool)
        tags[:, place] = True
        means = self._accepted if accepted else self._rejected
        (means.add if sign > 0 else means.remove)(vectors, tags)
        if accepted:
            self._squares[place] += sign * _squares(vectors).sum()

    def _fit(self, place):
        """`(kernel [p], bias)` of a word."""
        basis, own = self.basis, self._accepted.counts[place]
        of_tagger = place < len(basis.words)
        group = basis.groups[place] if of_tagger else 0
        center = np.float64(basis.centers[group]) * of_tagger
        average = basis.averages[group] if of_tagger else self._average
        sums = self._accepted.sums[place]
        # Of z - center, for all of them.
        squares = self._squares[place] - np.sum((2 * sums - own * center) * center)
        sums = sums - own * center
        # (weight of an image, their number, sums for the mean, for similarity, squares)
        parts = [(1.0, own, sums, sums, squares)]
        if of_tagger:
            parts.append(
                (
                    self._weights[place],
                    basis.counts[place],
                    np.float64(basis.sums[place]),
                    np.float64(basis.similarity_sums[place]),
                    np.float64(basis.squares[place]),
                )
            )
        count = sum(weight * number for weight, number, *_ in parts)
        if not count:
            return np.zeros(basis.dimensions), NEVER
        mean = sum(weight * part for weight, _, part, *_ in parts) / count
        number = self._rejected.counts[place]
        against = (self._rejected.sums[place] - number * center) / (
            number + REJECTED_PRIOR
        )
        length = np.linalg.norm(mean - against)
        if length < SHORTEST:
            return np.zeros(basis.dimensions), NEVER
        total, several = 0.0, count > 1
        if several:
            for weight, _, _, similar, squares in parts:
                product = count * (similar @ mean) - weight * squares
                left_out = product / (count - weight) - similar @ against
                total += weight * left_out / length
        shrunk = total + PRIOR_IMAGES * average
        typical = shrunk / (PRIOR_IMAGES + (count if several else 0))
        kernel = (mean - against) / length
        return kernel, -np.sum(center * kernel) - basis.margin * typical


def _squares(vectors):
    """`z . z` of each vector, rounded so that sums of them are exact."""
    own = np.square(vectors.astype(np.float64)).sum(axis=1)
    return np.round(own * _PRECISION) / _PRECISION
