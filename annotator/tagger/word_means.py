"""One mean vector per word: sums and counts that only ever grow."""

from collections.abc import Iterable

import numpy as np


class WordMeans:
    """Running sums of the vectors of the images that carry each word.

    Sums and counts add up over batches, over workers and over later additions, so new
    images and new words never need the old images again.

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
        expected = ((len(vectors), self.sums.shape[1]), (len(vectors), len(self.words)))
        if (vectors.shape, tags.shape) != expected:
            raise ValueError(
                f"Expected vectors and tags of shapes {expected}, "
                f"got {(vectors.shape, tags.shape)}."
            )
        self.sums += tags.T.astype(np.float64) @ vectors
        self.counts += tags.sum(axis=0)

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
