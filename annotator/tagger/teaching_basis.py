"""What a trained tagger hands on to those who teach it more: a metric and its words.

With it words learn from single images, without the images that the tagger was fitted
on and without TensorFlow.
"""

import dataclasses
import os
from collections.abc import Callable, Iterable, Mapping, Sequence
from typing import Any

import numpy as np
import scipy.linalg

from annotator import files, loading
from annotator.tagger.word_means import SetsAlike

DIMENSIONS = 512
PRIOR_IMAGES = 3
# A mean that is shorter points nowhere: all images carry the word.
SHORTEST = 1e-4
NO_LIFTS = np.zeros((0, 0), np.float32)
_OF_WORDS = ("groups", "counts", "sums", "similarity_sums", "squares")
_BLOCK = 1024  # rows per matrix product: bounds the memory of a pass
_RANK = 1e-10  # of the trace: an eigenvalue below is rounding


@dataclasses.dataclass(frozen=True, eq=False)
class TeachingBasis:
    """The whitening of a tagger, cut to its first dimensions, and sums of its words.

    `z = projection @ (x - mean)` whitens an image's vector x: products of two z are
    those under the inverse of the shrunk covariance, up to the directions that are left
    out. Of the images that carry a word, sums suffice for its mean and for its typical
    similarity with each image left out of both (see `whitened_means`), as that is
    linear in z and `z . z`.

    Where images of several data sets are learned together, words of a group are
    compared with what is usual among the images that were asked for them: their sums
    are over `z - center`. Of a word that several sets have each counts alike; an image
    is then left out as if it counted 1 among the others.

    Attributes:
        words: The W words.
        mean: Mean vector, float32 `[d]`.
        projection: float32 `[p, d]`.
        centers: Middle of the images that a group of words was asked for, float32
            `[G, p]`; with one group zeros.
        averages: Typical similarity, averaged over a group's words of several images,
            float32 `[G]`.
        groups: The group of each word, int `[W]`.
        counts: Images of each word, int64 `[W]`.
        sums: Sum of z over the images of each word, float32 `[W, p]`.
        similarity_sums: The same, each image times `1 / (1 - leverage)`: what it pulls
            the covariance towards itself is undone. float32 `[W, p]`.
        squares: Sum of `z . z` with the same factors, float32 `[W]`.
        margin: Share of its typical similarity that is taken off a word's score.
        lifts: What each word lends to each other one, float32 `[W, W]`; without words
            in it where the tagger has no `LabelLift`.
        sharpness: Of the softmax over scores in `LabelLift`.

    Source: as of `whitened_means`.
    """

    words: list[str]
    mean: np.ndarray
    projection: np.ndarray
    centers: np.ndarray
    averages: np.ndarray
    groups: np.ndarray
    counts: np.ndarray
    sums: np.ndarray
    similarity_sums: np.ndarray
    squares: np.ndarray
    margin: float
    lifts: np.ndarray = dataclasses.field(default_factory=lambda: NO_LIFTS)
    sharpness: float = 0.0

    @classmethod
    def fit(
        cls,
        words: Iterable[str],
        vectors: np.ndarray,
        tags: np.ndarray,
        whitening_rows: int | None = None,
        shrinkage: float = 1e-3,
        margin: float = 0.7,
        dimensions: int = DIMENSIONS,
        known: np.ndarray | None = None,
    ) -> "TeachingBasis":
        """Fits the metric and sums up the words' images, block by block.

        Args:
            words: The W words.
            vectors: A vector an image, float `[N, d]`; may be a memory map.
            tags: Whether an image carries a word, bool `[N, W]`.
            whitening_rows: How many of the first vectors decide the whitening; all by
                default.
            shrinkage: As of `Whitening.fit`.
            margin: As of `fit_whitened_means`.
            dimensions: p, at most; there are no more than d.
            known: As of `fit_whitened_means`.

        Returns:
            The basis.

        Raises:
            ValueError: When all vectors are equal.
        """
        rows = len(vectors) if whitening_rows is None else whitening_rows
        mean, projection = _fit_metric(vectors[:rows], shrinkage, dimensions)
        words = list(words)
        if known is None:
            groups, knows = np.zeros(len(words), int), [None]
            weights: list[Callable] = [lambda rows: 1.0]
        else:
            patterns, groups = np.unique(known, axis=1, return_inverse=True)
            groups, knows = np.ravel(groups), list(patterns.T)
            weights = [
                SetsAlike.of_known(tags[:, groups == group], known)
                for group in range(len(knows))
            ]
        shape = (len(words), len(projection))
        sums, similarity, squares = np.zeros(shape), np.zeros(shape), np.zeros(shape[0])
        centers = np.zeros((len(knows), len(projection)))
        for group, asked in enumerate(knows):
            columns = np.flatnonzero(groups == group)
            if asked is not None:
                total = sum(
                    z[asked[start : start + len(z)]].sum(axis=0)
                    for start, z in _whitened(vectors, mean, projection)
                )
                centers[group] = total / max(np.count_nonzero(asked), 1)
            for start, z in _whitened(vectors, mean, projection):
                z = z - centers[group]
                own = np.square(z).sum(axis=1)
                within = np.arange(start, start + len(z)) < rows
                leverage = np.where(within, np.minimum(own / rows, 0.999), 0.0)
                block = slice(start, start + len(z))
                carries = (tags[block, columns] * weights[group](block)).T
                sums[columns] += carries @ z
                similarity[columns] += carries @ (z / (1 - leverage)[:, None])
                squares[columns] += carries**2 @ (own / (1 - leverage))
        counts = np.asarray(tags.sum(axis=0), np.int64)
        return cls(
            words=words,
            mean=mean.astype(np.float32),
            projection=projection.astype(np.float32),
            centers=centers.astype(np.float32),
            averages=_averages(groups, len(knows), counts, sums, similarity, squares),
            groups=groups,
            counts=counts,
            sums=sums.astype(np.float32),
            similarity_sums=similarity.astype(np.float32),
            squares=squares.astype(np.float32),
            margin=margin,
        )

    def select(self, places: Sequence[int]) -> "TeachingBasis":
        """The basis of some of its words, as if there were no others; one metric.

        Args:
            places: The words' places.
        """
        chosen = {name: getattr(self, name)[places] for name in _OF_WORDS}
        words = [self.words[place] for place in places]
        if len(self.lifts):
            chosen["lifts"] = self.lifts[np.ix_(places, places)]
        averages = _averages(chosen["groups"], len(self.centers), *_statistics(chosen))
        return dataclasses.replace(self, words=words, averages=averages, **chosen)

    @property
    def average(self) -> float:
        """Typical similarity, averaged over all words: what a new one is to have."""
        (average,) = _averages(
            np.zeros_like(self.groups), 1, *_statistics(vars(self))
        ).tolist()
        return average

    @classmethod
    def load(cls, path: str | os.PathLike) -> "TeachingBasis":
        """Reads what `save` wrote."""
        values: dict[str, Any] = {**loading.arrays(path)}
        words, margin = values.pop("words").tolist(), float(values.pop("margin"))
        sharpness = float(values.pop("sharpness", 0.0))  # earlier files have none
        return cls(words=words, margin=margin, sharpness=sharpness, **values)

    def save(self, path: str | os.PathLike) -> None:
        """Writes the arrays, an `.npz` file."""
        with files.atomic_path(path) as temporary:
            np.savez(temporary, **vars(self))

    def compact(self) -> dict[str, np.ndarray]:
        """The arrays, but for the words, in a form that stands rounding.

        Returns:
            Names and arrays: means in half precision in place of sums, and the
            projection, transposed, as the only large array of float32.
        """
        counts = np.maximum(self.counts, 1)[:, None]
        lent = {"lifts": self.lifts, "sharpness": np.float32([self.sharpness])}
        return {
            "mean": self.mean,
            "projection": np.ascontiguousarray(self.projection.T),
            "centers": np.float16(self.centers),
            "averages": self.averages,
            "groups": self.groups,
            "counts": self.counts,
            "means": np.float16(self.sums / counts),
            "similarity_means": np.float16(self.similarity_sums / counts),
            "squares": self.squares,
            "margin": np.float32([self.margin]),
            **(lent if len(self.lifts) else {}),
        }

    @classmethod
    def from_compact(
        cls, words: Iterable[str], arrays: Mapping[str, np.ndarray]
    ) -> "TeachingBasis":
        """Makes a basis of its words and of what `compact` returned."""
        counts = np.float32(np.maximum(arrays["counts"], 1)[:, None])
        return cls(
            words=list(words),
            mean=arrays["mean"],
            projection=np.ascontiguousarray(arrays["projection"].T),
            centers=np.float32(arrays["centers"]),
            averages=arrays["averages"],
            groups=arrays["groups"],
            counts=arrays["counts"],
            sums=np.float32(arrays["means"]) * counts,
            similarity_sums=np.float32(arrays["similarity_means"]) * counts,
            squares=arrays["squares"],
            margin=float(arrays["margin"][0]),
            lifts=arrays.get("lifts", NO_LIFTS),
            sharpness=float(arrays.get("sharpness", [0.0])[0]),
        )

    @property
    def dimensions(self) -> int:
        """Length p of a whitened vector."""
        return len(self.projection)

    def whiten(self, vectors: np.ndarray) -> np.ndarray:
        """Whitens vectors to what is kept of an image.

        Args:
            vectors: A vector an image, float `[B, d]`.

        Returns:
            float16 `[B, p]`.
        """
        whitened = (np.asarray(vectors, np.float32) - self.mean) @ self.projection.T
        return whitened.astype(np.float16)


def _fit_metric(vectors, shrinkage, dimensions):
    """`(mean [d], projection [p, d])` in double precision."""
    mean = np.zeros(vectors.shape[1])
    for start in range(0, len(vectors), _BLOCK):
        mean += vectors[start : start + _BLOCK].sum(axis=0, dtype=np.float64)
    mean /= len(vectors)
    blocks = [slice(k, k + _BLOCK) for k in range(0, len(vectors), _BLOCK)]
    kept = min(dimensions, len(mean))
    few = len(vectors) < len(mean)
    find = _directions_of_few if few else _directions_of_many
    values, directions, trace = find(vectors, mean, blocks, kept)
    if trace <= 0:
        raise ValueError("All vectors are equal: they tell no words apart.")
    values = np.maximum(values, 0.0) + shrinkage * trace
    return mean, directions / np.sqrt(values)[:, None]


def _directions_of_many(vectors, mean, blocks, kept):
    """The first eigenvalues of the covariance, its eigenvectors in rows, its trace."""
    covariance = np.zeros((len(mean), len(mean)))
    for block in blocks:
        centered = vectors[block] - mean
        covariance += centered.T @ centered
    covariance /= len(vectors)
    trace = float(np.trace(covariance))
    values, directions = scipy.linalg.eigh(
        covariance,
        subset_by_index=(len(mean) - kept, len(mean) - 1),
        overwrite_a=True,
    )
    return values[::-1], directions[:, ::-1].T, trace


def _directions_of_few(vectors, mean, blocks, kept):
    """The same from the products of N vectors: powers of N in place of d.

    What the vectors do not span has eigenvalues of 0 and no directions of its own: any
    will do, as they do in a decomposition of the covariance.
    """
    products = np.zeros((len(vectors), len(vectors)))
    for row in blocks:
        centered = vectors[row] - mean
        for column in blocks:
            if column.start <= row.start:  # the lower triangle is read
                products[row, column] = centered @ (vectors[column] - mean).T
    products /= len(vectors)
    trace = float(np.trace(products))
    first = max(len(vectors) - kept, 0)
    values, weights = scipy.linalg.eigh(
        products, subset_by_index=(first, len(vectors) - 1), overwrite_a=True
    )
    spanned = values > _RANK * trace
    values, weights = values[spanned][::-1], weights[:, spanned][:, ::-1]
    directions = np.zeros((len(values), len(mean)))
    for block in blocks:
        directions += weights[block].T @ (vectors[block] - mean)
    directions /= np.sqrt(len(vectors) * values)[:, None]
    if missing := kept - len(values):
        others = np.random.default_rng(0).standard_normal((missing, len(mean)))
        for _ in range(2):  # once more for what rounding left
            others -= (others @ directions.T) @ directions
        others = scipy.linalg.qr(others.T, mode="economic")[0].T
        directions = np.concatenate([directions, others])
        values = np.concatenate([values, np.zeros(missing)])
    return values, directions, trace


def _whitened(vectors, mean, projection):
    """`(first row, z)` of consecutive blocks, in double precision."""
    for start in range(0, len(vectors), _BLOCK):
        yield start, (vectors[start : start + _BLOCK] - mean) @ projection.T


def _statistics(values):
    return [values[n] for n in ("counts", "sums", "similarity_sums", "squares")]


def _averages(groups, number, counts, sums, similarity_sums, squares):
    """Similarity of words' own images: the mean over each group's words of several."""
    lengths = np.linalg.norm(sums, axis=1) / np.maximum(counts, 1)
    several = (counts > 1) & (lengths > SHORTEST)
    divisors = np.where(several, lengths * counts * (counts - 1), 1.0)
    typical = ((similarity_sums * sums).sum(axis=1) - squares) / divisors
    averages = np.zeros(number, np.float32)
    for group in range(number):
        chosen = several & (groups == group)
        averages[group] = typical[chosen].mean() if chosen.any() else 0.0
    return averages
