"""Mean vectors compared where the training set is round, each against its own margin.

Plain nearest means take all directions of the vector space alike, though images vary
far more along some of them, and prefer words whose mean lies close to the middle of
the data. Here vectors are whitened before they are compared, and a word's similarity
is measured against what is usual for that word.
"""

import dataclasses

import keras
import numpy as np
import scipy.linalg

from annotator.tagger.word_means import SetsAlike, WordMeans, data_sets
from annotator.tagger.word_scores import NEVER

# A word's typical similarity is shrunk to the average, as by so many images.
PRIOR_IMAGES = 3
_ALWAYS = 1e4  # above any similarity
_BLOCK = 1024  # rows per matrix product: bounds the memory of a pass


@dataclasses.dataclass(frozen=True)
class Covariance:
    """Mean and covariance of vectors.

    Attributes:
        mean: Mean vector, float64 `[d]`.
        matrix: Covariance C, float64 `[d, d]`.
        rows: Number of vectors that they were taken from.
    """

    mean: np.ndarray
    matrix: np.ndarray
    rows: int

    @classmethod
    def fit(cls, vectors: np.ndarray) -> "Covariance":
        """Fits both, block by block.

        Args:
            vectors: A vector an image, float `[N, d]`; may be a memory map.

        Returns:
            Mean and covariance.

        Raises:
            ValueError: When all vectors are equal.
        """
        mean = sum(block.sum(axis=0, dtype=np.float64) for _, block in _blocks(vectors))
        mean /= len(vectors)
        # Double precision: the smallest eigenvalues decide most about the inverse.
        matrix = np.zeros((len(mean), len(mean)))
        for _, block in _blocks(vectors):
            centered = block - mean
            matrix += centered.T @ centered
        matrix /= len(vectors)
        if np.trace(matrix) <= 0:
            raise ValueError("All vectors are equal: they tell no words apart.")
        return cls(mean, matrix, len(vectors))


@dataclasses.dataclass(frozen=True)
class Whitening:
    """The metric of a shrunk covariance: `S = C + shrinkage * trace(C) * I`.

    Attributes:
        mean: Mean vector, float64 `[d]`.
        factor: Lower Cholesky factor of S, float64 `[d, d]`.
        rows: Number of vectors that mean and covariance were taken from.

    Source: Jegou and Chum, "Negative evidences and co-occurrences in image retrieval:
    the benefit of PCA and whitening", 2012.
    """

    mean: np.ndarray
    factor: np.ndarray
    rows: int

    @classmethod
    def fit(cls, vectors: np.ndarray, shrinkage: float = 1e-3) -> "Whitening":
        """Fits mean and covariance, and shrinks it.

        Args:
            vectors: A vector an image, float `[N, d]`; may be a memory map.
            shrinkage: Positive; the larger, the nearer to plain L2.

        Returns:
            The metric.

        Raises:
            ValueError: When all vectors are equal, or `shrinkage` is not positive.
        """
        return cls.of(Covariance.fit(vectors), shrinkage)

    @classmethod
    def of(cls, covariance: Covariance, shrinkage: float) -> "Whitening":
        """Shrinks a covariance.

        Args:
            covariance: Of the vectors.
            shrinkage: As of `fit`.

        Returns:
            The metric.

        Raises:
            ValueError: When `shrinkage` is not positive.
        """
        if shrinkage <= 0:
            raise ValueError(f"shrinkage must be positive, got {shrinkage}.")
        shrunk = covariance.matrix.copy()
        shrunk[np.diag_indices_from(shrunk)] += shrinkage * np.trace(shrunk)
        factor = scipy.linalg.cholesky(shrunk, lower=True, overwrite_a=True)
        return cls(covariance.mean, factor, covariance.rows)

    def solve(self, vectors: np.ndarray) -> np.ndarray:
        """The product of the inverse of S with vectors.

        Args:
            vectors: Float `[d, B]`, which are not centered.

        Returns:
            float64 `[d, B]`.
        """
        return scipy.linalg.cho_solve((self.factor, True), vectors)

    def apply(self, vectors: np.ndarray) -> np.ndarray:
        """Whitens vectors.

        Args:
            vectors: Float `[B, d]`.

        Returns:
            float64 `[B, d]`.
        """
        centered = vectors - self.mean
        return scipy.linalg.solve_triangular(self.factor, centered.T, lower=True).T

    def layer(self, name: str = "whitening") -> keras.layers.Dense:
        """`apply` as a frozen layer on vectors `[B, d]`, in float32.

        Args:
            name: Name of the layer.

        Returns:
            The built layer, with `d * d` weights.
        """
        unit = np.eye(len(self.mean))
        inverse = scipy.linalg.solve_triangular(self.factor, unit, lower=True)
        return linear_scores(inverse.T, -inverse @ self.mean, name)


def fit_whitened_means(
    means: WordMeans,
    whitening: Whitening,
    vectors: np.ndarray,
    tags: np.ndarray,
    margin: float = 0.7,
    prior_images: int = PRIOR_IMAGES,
    known: np.ndarray | None = None,
) -> tuple[np.ndarray, np.ndarray]:
    """Fits linear scores of words.

    Let z be a whitened image and m_w the whitened mean of word w at unit length. The
    score is `z . m_w - margin * t_w`, where t_w is the typical similarity of the word's
    own images. A training image is part of its word's mean and of the covariance and
    so looks nearer than a new one: t_w is taken with each image left out of both, in
    closed form (the leave-one-out residual of ridge regression, which whitened means
    are up to a factor).

    Where images of several data sets are learned together, a word is compared with what
    is usual among the images that were asked for it: z and m_w are then taken from the
    middle of these, or a word would stand for its data set as well. For a word that
    several sets have each of them counts alike, however many images it has.

    Args:
        means: Mean vectors of `vectors` and `tags`.
        whitening: Metric fitted on the first `whitening.rows` of the vectors; later
            ones (images added since) had no part in it.
        vectors: A vector an image, float `[N, d]`; may be a memory map.
        tags: Whether an image carries a word, bool `[N, W]`.
        margin: Share of t_w that is taken off. At 1 an image of middling similarity
            scores 0 for every word; at 0 words with spread-out images never win.
        prior_images: t_w is shrunk to its average over words, as by this many images;
            a word of one image, which has nothing without it, takes the average.
        known: Whether an image was asked for a word, bool `[N, W]`; `None` if each was
            asked for all.

    Returns:
        `(kernel, bias)`, float32 `[d, W]` and `[W]`: scores are `x @ kernel + bias`,
        with `NEVER` as the bias of words without images, and 10,000 as that of words
        that all images carry: they come first.
    """
    if known is not None:
        return _fit_by_group(whitening, vectors, tags, margin, prior_images, known)
    return _fit(means, whitening, vectors, tags, margin, prior_images)


def _fit(
    means, whitening, vectors, tags, margin, prior_images, weights=lambda rows: 1.0
):
    """`fit_whitened_means`; `weights` says of a slice of images how much each counts.

    An image may count for more or less than one, `[B, W]`, as it did in `means`.
    """
    counts = means.counts
    whitened = whitening.apply(means.means)
    lengths = np.linalg.norm(whitened, axis=1, keepdims=True)
    # The mean of a word that all images carry is the mean of all images: it points
    # nowhere, and no image is more like it than another.
    pointing = (counts > 0) & (lengths[:, 0] > 1e-9)
    lengths = np.where(pointing[:, None], lengths, 1.0)
    whitened = np.where(pointing[:, None], whitened / lengths, 0.0)
    total = np.zeros(len(counts))
    for start, block in _blocks(vectors):
        rows = slice(start, start + len(block))
        within = np.arange(start, start + len(block)) < whitening.rows
        weight = np.broadcast_to(weights(rows), tags[rows].shape)
        some = tags[rows].any(axis=1)  # the others cost as much and tell nothing
        weight = weight[some]
        similarity = _left_out(
            whitening, whitened, lengths, counts, block[some], within[some], weight
        )
        counted = tags[rows][some] & pointing
        total += np.where(counted, weight * similarity, 0.0).sum(axis=0)
    has_several = pointing & (counts > 1)
    average = 0.0
    if has_several.any():
        average = np.mean(total[has_several] / counts[has_several])
    typical = np.where(has_several, total, 0.0) + prior_images * average
    typical /= np.where(has_several, counts, 0) + prior_images
    kernel = scipy.linalg.solve_triangular(
        whitening.factor, whitened.T, lower=True, trans="T"
    )
    bias = -whitening.mean @ kernel - margin * typical
    # Every image has such a word: it comes first.
    bias = np.where((counts > 0) & ~pointing, _ALWAYS, bias)
    return kernel.astype(np.float32), np.where(counts, bias, NEVER).astype(np.float32)


def _fit_by_group(whitening, vectors, tags, margin, prior_images, known):
    """`fit_whitened_means` of each group of words that the same images know."""
    kernel = np.zeros((vectors.shape[1], tags.shape[1]), np.float32)
    bias = np.zeros(tags.shape[1], np.float32)
    patterns, group_of = np.unique(known, axis=1, return_inverse=True)
    set_of = data_sets(known)
    for group, knows in enumerate(patterns.T):
        columns = np.flatnonzero(np.ravel(group_of) == group)
        weights = SetsAlike(tags[:, columns], set_of)
        means = WordMeans(columns.tolist(), len(kernel))
        means.counts = tags[:, columns].sum(axis=0)
        middle = np.zeros(len(kernel))
        for start, block in _blocks(vectors):
            rows = slice(start, start + len(block))
            middle += block[knows[rows]].sum(axis=0, dtype=np.float64)
            carried = tags[rows][:, columns] * weights(rows)
            means.sums += carried.T.astype(np.float64) @ block
        middle /= max(np.count_nonzero(knows), 1)
        kernel[:, columns], bias[columns] = _fit(
            means,
            dataclasses.replace(whitening, mean=middle),
            vectors,
            tags[:, columns],
            margin,
            prior_images,
            weights,
        )
    return kernel, bias


def linear_scores(
    kernel: np.ndarray, bias: np.ndarray, name: str = "scores"
) -> keras.layers.Dense:
    """Builds the scores as a frozen layer on vectors `[B, d]`, in float32.

    Args:
        kernel: As `fit_whitened_means` returns it, `[d, W]`.
        bias: As `fit_whitened_means` returns it, `[W]`.
        name: Name of the layer.

    Returns:
        The built layer.
    """
    layer = keras.layers.Dense(
        kernel.shape[1], dtype="float32", trainable=False, name=name
    )
    layer.build((None, kernel.shape[0]))
    layer.set_weights([kernel, bias])
    return layer


def _left_out(whitening, directions, lengths, counts, block, within, weight):
    """Similarity `[B, W]` of each image to a word's mean, had it not been part of it.

    It holds for the words an image carries. `within` says which images the covariance
    was fitted on: what they pull it towards themselves is undone as well. `weight` is
    what an image counts for in the means.
    """
    whitened = whitening.apply(block)
    similarity = whitened @ directions.T
    own = np.square(whitened).sum(axis=1, keepdims=True)  # z . z
    leverage = np.where(within[:, None], np.minimum(own / whitening.rows, 0.999), 0.0)
    without = (similarity * counts - weight * own / lengths.T) / (1.0 - leverage)
    others = counts - weight
    return without / np.where(others > 1e-9, others, 1.0)


def _blocks(vectors):
    """`(first row, rows)` of consecutive blocks."""
    for start in range(0, len(vectors), _BLOCK):
        yield start, vectors[start : start + _BLOCK]
