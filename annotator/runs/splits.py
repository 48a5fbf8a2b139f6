"""A split of a data set whose feature maps are on disk."""

import dataclasses

import numpy as np
import tensorflow as tf

from annotator.datasets import AnnotatedImages
from annotator.features.cache import FeatureCache, regions_dataset
from annotator.features.joined_cache import JoinedCache


@dataclasses.dataclass(frozen=True)
class Split:
    """Images with their annotations and their feature maps.

    Attributes:
        annotated: `AnnotatedImages`, without the images that could not be read.
        rows: int `[N]`, their rows in the caches.
        caches: One cache a view.
    """

    annotated: AnnotatedImages
    rows: np.ndarray
    caches: tuple[FeatureCache | JoinedCache, ...]

    def __len__(self) -> int:
        return len(self.rows)

    def select(self, rows: np.ndarray) -> "Split":
        """Some of its images, in ascending order, as a split of their own."""
        return Split(self.annotated.select(rows), self.rows[rows], self.caches)

    def regions(self, batch_size: int) -> tf.data.Dataset:
        """`tf.data.Dataset` of float16 regions `[B, R, channels]`, in order."""
        dataset = regions_dataset(self.caches, self.rows, batch_size)
        return dataset.map(lambda rows, regions: regions)

    def pixels(self, batch_size: int) -> tf.data.Dataset:
        """The same of a split of pixels: float16 `[B, height, width, 3]`, in order."""
        shape = (-1, *self.caches[0].shape)
        return self.regions(batch_size).map(lambda pixels: tf.reshape(pixels, shape))
