"""One mean vector per word: sums and counts, to which images are added or taken off."""

from collections.abc import Iterable

import numpy as np

# Below any similarity: the score of a word that no image carries.
NEVER = -1e30


class WordMeans:
    """Running sums of the vectors of the images that carry each word.

    Sums and counts add up over batches, over workers and over later additions, so new
    images and new words never need the old images again.

    Vectors in half precision are multiples of 2^-24 below 2^16, so a sum of up to 8,192
    of them is exact whatever they are: their order does not matter, and one that is
    added and removed leaves no trace, to the bit. Vectors of other types come back up
    to the rounding of double precision.

    Args:
        words: The words known at first.
        dimensions: Length d of a vector.

    Attributes:
        words: List of W words.
        sums: Sum of the vectors of each word's images, float64 `[W, d]`.
        counts: Images per word, int64 `[W]`.

    Source: "Image annotation based on middle-layer convolution features of deep
    learning", section on word vectors.
    """

    def __init__(self, words: Iterable, dimensions: int) -> None:
        self.words = list(words)
        self.sums = np.zeros((len(self.words), dimensions), np.float64)
        self.counts = np.zeros(len(self.words), np.int64)

    @property
    def means(self) -> np.ndarray:
        """Mean vectors, float64 `[W, d]`; zeros for a word that no image carries."""
        return self.sums / np.maximum(self.counts, 1)[:, None]

    def add(self, vectors: np.ndarray, tags: np.ndarray) -> None:
        """Adds a batch of images.

        Args:
            vectors: A vector an image, float `[B, d]`.
            tags: Whether an image carries a word, bool `[B, W]`. An image without any
                word changes nothing.

        Raises:
            ValueError: When the shapes do not fit the words and dimensions.
        """
        self._check(vectors, tags)
        self.sums += tags.T.astype(np.float64) @ vectors
        self.counts += tags.sum(axis=0)

    def remove(self, vectors: np.ndarray, tags: np.ndarray) -> None:
        """Takes a batch of images off that was added before.

        Args:
            vectors: As they were added, float `[B, d]`.
            tags: As they were added, bool `[B, W]`.

        Raises:
            ValueError: When the shapes do not fit the words and dimensions, or a word
                would be left with fewer than no images.
        """
        self._check(vectors, tags)
        counts = self.counts - tags.sum(axis=0)
        if (counts < 0).any():
            word = self.words[int(np.argmin(counts))]
            raise ValueError(f"More images of {word!r} are removed than were added.")
        self.sums -= tags.T.astype(np.float64) @ vectors
        self.counts = counts

    def add_words(self, words: Iterable) -> None:
        """Appends words that are not known yet, with no image so far."""
        new = [word for word in dict.fromkeys(words) if word not in self.words]
        self.words += new
        self.sums = np.pad(self.sums, ((0, len(new)), (0, 0)))
        self.counts = np.pad(self.counts, (0, len(new)))

    def merge(self, other: "WordMeans") -> None:
        """Adds another worker's sums over the same or other words."""
        self.add_words(other.words)
        rows = [self.words.index(word) for word in other.words]
        self.sums[rows] += other.sums
        self.counts[rows] += other.counts

    def _check(self, vectors, tags):
        expected = ((len(vectors), self.sums.shape[1]), (len(vectors), len(self.words)))
        if (vectors.shape, tags.shape) != expected:
            raise ValueError(
                f"Expected vectors and tags of shapes {expected}, "
                f"got {(vectors.shape, tags.shape)}."
            )


def data_sets(known: np.ndarray) -> np.ndarray:
    """Tells data sets by what their images were asked for: those of one know the same.

    Args:
        known: Whether an image was asked for a word, bool `[N, W]`.

    Returns:
        The data set of each image, int `[N]`, from 0.
    """
    return np.ravel(np.unique(known, axis=0, return_inverse=True)[1])


class SetsAlike:
    """How much an image counts for a word that several data sets have.

    For a word of one data set all images count 1. The weights of a word add up to the
    number of its images.

    Args:
        tags: Whether an image carries a word, bool `[N, W]`.
        set_of: The data set of each image, int `[N]`.
    """

    def __init__(self, tags: np.ndarray, set_of: np.ndarray) -> None:
        sets = np.arange(set_of.max() + 1)
        counts = np.array([tags[set_of == each].sum(axis=0) for each in sets])
        having = np.maximum((counts > 0).sum(axis=0), 1)
        self._set_of = set_of
        self._weights = counts.sum(axis=0) / (having * np.maximum(counts, 1))

    @classmethod
    def of_known(cls, tags: np.ndarray, known: np.ndarray) -> "SetsAlike":
        """Of the data sets of `data_sets`.

        Args:
            tags: As of the class.
            known: Whether an image was asked for a word, bool `[N, V]`; V may be
                another number of words.
        """
        return cls(tags, data_sets(known))

    def __call__(self, rows: slice) -> np.ndarray:
        """The weights of a slice of images, float64 `[B, W]`."""
        return self._weights[self._set_of[rows]]
