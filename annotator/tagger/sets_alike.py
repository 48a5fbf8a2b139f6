"""Weights by which each of several data sets counts alike for a word."""

import numpy as np


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
        """Tells data sets by what their images were asked for.

        Args:
            tags: As of the class.
            known: Whether an image was asked for a word, bool `[N, V]`; V may be
                another number of words.
        """
        _, set_of = np.unique(known, axis=0, return_inverse=True)
        return cls(tags, np.ravel(set_of))

    def __call__(self, rows: slice) -> np.ndarray:
        """The weights of a slice of images, float64 `[B, W]`."""
        return self._weights[self._set_of[rows]]
