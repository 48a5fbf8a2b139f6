"""The base of the taggers that compare an image with every training image."""

from typing import Any, TypeVar

import keras
import numpy as np

Tagger = TypeVar("Tagger", bound="ExemplarTagger")


class ExemplarTagger(keras.layers.Layer):
    """A tagger that keeps the training set as frozen weights.

    They are a vector and the words of every training image.

    A prediction costs O(N) in the number of training images.

    Args:
        images: Number of training images N.
        words: Number of words W.

    Call arguments:
        vectors: A vector an image, float `[batch, d]`.

    Output shape:
        float32 scores `[batch, W]`; larger is better.
    """

    def __init__(self, images: int, words: int, **kwargs: Any) -> None:
        super().__init__(**{**kwargs, "dtype": "float32", "trainable": False})
        self.images = images
        self.words = words

    @classmethod
    def fit(
        cls: type[Tagger], vectors: np.ndarray, tags: np.ndarray, **kwargs: Any
    ) -> Tagger:
        """Builds a tagger that holds a training set.

        Args:
            vectors: A vector an image, float32 `[N, d]`.
            tags: Whether an image carries a word, bool `[N, W]`. Images without any
                word are left out: they have nothing to pass on.
            **kwargs: Other arguments of the class.

        Returns:
            The built layer.

        Raises:
            ValueError: When no image carries a word.
        """
        tagged = tags.any(axis=1)
        if not tagged.any():
            raise ValueError("No training image carries a word.")
        vectors, tags = vectors[tagged], tags[tagged]
        layer = cls(*tags.shape, **kwargs)
        layer.build((None, vectors.shape[1]))
        layer.vectors.assign(vectors)
        layer.tags.assign(tags.astype(np.float32))
        return layer

    def build(self, input_shape: tuple) -> None:
        self.vectors = self.add_weight(
            shape=(self.images, input_shape[-1]), name="vectors"
        )
        self.tags = self.add_weight(shape=(self.images, self.words), name="tags")

    def compute_output_shape(self, input_shape: tuple) -> tuple:
        return (input_shape[0], self.words)

    def get_config(self) -> dict[str, Any]:
        return {
            **super().get_config(),
            "images": self.images,
            "words": self.words,
        }
