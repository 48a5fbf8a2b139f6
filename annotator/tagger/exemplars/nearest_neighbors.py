"""Nearest neighbors: JEC and 2PKNN, which ask the most similar training images.

They read the same vectors as the mean-vector tagger and serve as its comparison.
"""

from typing import Any

import keras
import numpy as np
import tensorflow as tf
from keras import ops

from annotator.tagger.exemplars.exemplar_tagger import ExemplarTagger


class NeighborTagger(ExemplarTagger):
    """Base of both taggers: L2 distances to the training images.

    Args:
        images: Number of training images N.
        words: Number of words W.
        neighbors: Number of neighbors K.

    Raises:
        ValueError: When there are no neighbors.
    """

    def __init__(
        self, images: int, words: int, neighbors: int = 5, **kwargs: Any
    ) -> None:
        super().__init__(images, words, **kwargs)
        if neighbors < 1:
            raise ValueError(f"neighbors must be at least 1, got {neighbors}.")
        self.neighbors = neighbors

    def distances(self, vectors: tf.Tensor) -> tf.Tensor:
        """L2 distances to the training images.

        Args:
            vectors: A vector an image, float `[batch, d]`.

        Returns:
            float32 `[batch, N]`.
        """
        squares = (
            ops.sum(ops.square(vectors), -1, keepdims=True)
            + ops.sum(ops.square(self.vectors), -1)
            - 2 * ops.matmul(vectors, ops.transpose(self.vectors))
        )
        return ops.sqrt(ops.maximum(squares, 0.0))

    def get_config(self) -> dict[str, Any]:
        return {**super().get_config(), "neighbors": self.neighbors}

    @classmethod
    def from_config(cls, config: dict[str, Any]) -> "NeighborTagger":
        config = dict(config)
        if "neighbours" in config:  # files of version 0.1 spell it so
            config["neighbors"] = config.pop("neighbours")
        return cls(**config)


@keras.saving.register_keras_serializable(package="annotator")
class JEC(NeighborTagger):
    """Joint equal contribution's label transfer.

    The words of the nearest image come first, the most frequent in training before the
    others. The words of neighbors 2 to K follow, by the product of how many of these
    neighbors carry them and how often they go with the nearest image's words in
    training.

    Source: Makadia, Pavlovic and Kumar, "A new baseline for image annotation", 2008.
    """

    def call(self, vectors: tf.Tensor) -> tf.Tensor:
        distances = self.distances(vectors)
        _, nearest = ops.top_k(-distances, min(self.neighbors, self.images))
        tags = ops.take(self.tags, nearest, axis=0)  # [B, K, W]
        of_nearest = tags[:, 0]  # [B, W]
        carried = ops.sum(tags[:, 1:], axis=1)  # [B, W]: by how many of the others
        frequency = ops.sum(self.tags, axis=0)  # [W]
        shared = ops.matmul(of_nearest, ops.transpose(self.tags))  # [B, N]
        together = ops.matmul(shared, self.tags)  # [B, W]
        others = _at_most_one(carried * (1.0 + together))
        first = 2.0 + _at_most_one(frequency)
        return of_nearest * first + (1.0 - of_nearest) * others


@keras.saving.register_keras_serializable(package="annotator")
class TwoPassKNN(NeighborTagger):
    """2PKNN: each word's own nearest images first, then a weighted vote among them.

    First pass: the K nearest images of every word; their union is a neighborhood in
    which rare words weigh as much as frequent ones. Second pass: the score of a word is
    the sum of `exp(-bandwidth * distance^2)` over the images of the union that carry
    it, with distances in units of the query's distance to its nearest image.

    Args:
        images: Number of training images N.
        words: Number of words W.
        neighbors: Number of neighbors K.
        longest: Number of images of the most frequent word.
        bandwidth: Decay of the vote with distance.

    Source: Verma and Jawahar, "Image annotation using metric learning in semantic
    neighbourhoods", 2012. Their metric is learned; `bandwidth` stands in for it.
    """

    def __init__(
        self,
        images: int,
        words: int,
        neighbors: int = 5,
        longest: int = 1,
        bandwidth: float = 20.0,
        **kwargs: Any,
    ) -> None:
        super().__init__(images, words, neighbors, **kwargs)
        self.longest = longest
        self.bandwidth = bandwidth

    @classmethod
    def fit(cls, vectors: np.ndarray, tags: np.ndarray, **kwargs: Any) -> "TwoPassKNN":
        """Builds a tagger that holds a training set.

        Args:
            vectors: A vector an image, float32 `[N, d]`.
            tags: Whether an image carries a word, bool `[N, W]`.
            **kwargs: Other arguments of the class.

        Returns:
            The built layer.

        Raises:
            ValueError: When no image carries a word.
        """
        longest = int(tags.sum(axis=0).max())
        layer = super().fit(vectors, tags, longest=longest, **kwargs)
        carriers = np.full((layer.words, longest), layer.images, np.int32)
        for word, column in enumerate(np.asarray(layer.tags).T):
            rows = np.flatnonzero(column)
            carriers[word, : len(rows)] = rows
        layer.carriers.assign(carriers)
        return layer

    def build(self, input_shape: tuple) -> None:
        super().build(input_shape)
        # Rows of the images that carry each word, padded with N.
        self.carriers = self.add_weight(
            shape=(self.words, self.longest), dtype="int32", name="carriers"
        )

    def call(self, vectors: tf.Tensor) -> tf.Tensor:
        distances = self.distances(vectors)
        return ops.vectorized_map(self._scores, distances)

    def get_config(self) -> dict[str, Any]:
        return {
            **super().get_config(),
            "longest": self.longest,
            "bandwidth": self.bandwidth,
        }

    def _scores(self, distances):
        """Scores `[W]` of one image from its distances `[N]`."""
        padded = ops.append(distances, ops.full((1,), np.inf))
        neighbors = min(self.neighbors, self.longest)
        values, columns = ops.top_k(-ops.take(padded, self.carriers), neighbors)
        rows = ops.take_along_axis(self.carriers, columns, axis=1)
        union = ops.scatter(
            ops.reshape(rows, (-1, 1)),
            ops.reshape(ops.cast(values > -np.inf, "float32"), (-1,)),
            (self.images + 1,),
        )[:-1]
        # Relative to the nearest image, whose vote is then 1.
        nearest = ops.maximum(ops.square(ops.min(distances)), 1e-12)
        farther = ops.square(distances) / nearest - 1.0
        votes = ops.where(union > 0, ops.exp(-self.bandwidth * farther), 0.0)
        return ops.matmul(votes, self.tags)


def _at_most_one(values):
    """Values scaled so that the largest of a row is 1; zeros stay zeros."""
    return values / ops.maximum(ops.max(values, -1, keepdims=True), 1e-12)
