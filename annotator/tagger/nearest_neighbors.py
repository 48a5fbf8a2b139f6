"""Taggers that compare an image with every training image: JEC and 2PKNN.

They read the same vectors as the mean-vector tagger and serve as its comparison.
"""

import keras
import numpy as np
from keras import ops

from annotator.tagger.training_images import TrainingImages


class NearestNeighbours(TrainingImages):
    """Base of both taggers: L2 distances to the training images.

    Args:
        images: Number of training images N.
        words: Number of words W.
        neighbours: Number of neighbors K.
    """

    def __init__(self, images, words, neighbours=5, **kwargs):
        super().__init__(images, words, **kwargs)
        if neighbours < 1:
            raise ValueError(f"neighbours must be at least 1, got {neighbours}.")
        self.neighbours = neighbours

    def distances(self, vectors):
        """L2 distances to the training images, `[batch, N]`."""
        squares = (
            ops.sum(ops.square(vectors), -1, keepdims=True)
            + ops.sum(ops.square(self.vectors), -1)
            - 2 * ops.matmul(vectors, ops.transpose(self.vectors))
        )
        return ops.sqrt(ops.maximum(squares, 0.0))

    def get_config(self):
        return {**super().get_config(), "neighbours": self.neighbours}


@keras.saving.register_keras_serializable(package="annotator")
class JEC(NearestNeighbours):
    """Joint equal contribution's label transfer.

    The words of the nearest image come first, the most frequent in training before the
    others. The words of neighbors 2 to K follow, by the product of how many of these
    neighbors carry them and how often they go with the nearest image's words in
    training.

    Source: Makadia, Pavlovic and Kumar, "A new baseline for image annotation", 2008.
    """

    def call(self, vectors):
        _, nearest = ops.top_k(
            -self.distances(vectors), min(self.neighbours, self.images)
        )
        tags = ops.take(self.tags, nearest, axis=0)  # [B, K, W]
        first, local = tags[:, 0], ops.sum(tags[:, 1:], axis=1)
        frequency = ops.sum(self.tags, axis=0)
        together = ops.matmul(
            ops.matmul(first, ops.transpose(self.tags)), self.tags
        )  # [B, W]
        others = _at_most_one(local * (1.0 + together))
        return first * (2.0 + _at_most_one(frequency)) + (1.0 - first) * others


@keras.saving.register_keras_serializable(package="annotator")
class TwoPassKNN(NearestNeighbours):
    """2PKNN: each word's own nearest images first, then a weighted vote among them.

    First pass: the K nearest images of every word; their union is a neighbourhood in
    which rare words weigh as much as frequent ones. Second pass: the score of a word is
    the sum of `exp(-bandwidth * distance^2)` over the images of the union that carry
    it, with distances in units of the query's distance to its nearest image.

    Args:
        longest: Number of images of the most frequent word.
        bandwidth: Decay of the vote with distance.

    Source: Verma and Jawahar, "Image annotation using metric learning in semantic
    neighbourhoods", 2012. Their metric is learned; `bandwidth` stands in for it.
    """

    def __init__(
        self, images, words, neighbours=5, longest=None, bandwidth=20.0, **kwargs
    ):
        super().__init__(images, words, neighbours, **kwargs)
        self.longest = longest
        self.bandwidth = bandwidth

    @classmethod
    def fit(cls, vectors, tags, **kwargs):
        longest = int(tags.sum(axis=0).max())
        layer = super().fit(vectors, tags, longest=longest, **kwargs)
        carriers = np.full((layer.words, longest), layer.images, np.int32)
        for word, column in enumerate(np.asarray(layer.tags).T):
            rows = np.flatnonzero(column)
            carriers[word, : len(rows)] = rows
        layer.carriers.assign(carriers)
        return layer

    def build(self, input_shape):
        super().build(input_shape)
        # Rows of the images that carry each word, padded with N.
        self.carriers = self.add_weight(
            shape=(self.words, self.longest), dtype="int32", name="carriers"
        )

    def call(self, vectors):
        distances = self.distances(vectors)
        return ops.vectorized_map(self._scores, distances)

    def get_config(self):
        return {
            **super().get_config(),
            "longest": self.longest,
            "bandwidth": self.bandwidth,
        }

    def _scores(self, distances):
        """Scores `[W]` of one image from its distances `[N]`."""
        padded = ops.append(distances, ops.full((1,), np.inf))
        neighbours = min(self.neighbours, self.longest)
        values, places = ops.top_k(-ops.take(padded, self.carriers), neighbours)
        rows = ops.take_along_axis(self.carriers, places, axis=1)
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
