"""What the taggers that compare an image with every training image have in common."""

import keras
import numpy as np


class TrainingImages(keras.layers.Layer):
    """The training set as frozen weights: a vector and the words of every image.

    A prediction costs O(N) in the number of training images.

    Args:
        images: Number of training images N.
        words: Number of words W.

    Call arguments:
        vectors: float `[batch, d]`.

    Output shape:
        float32 scores `[batch, W]`; larger is better.
    """

    def __init__(self, images, words, **kwargs):
        super().__init__(**{**kwargs, "dtype": "float32", "trainable": False})
        self.images = images
        self.words = words

    @classmethod
    def fit(cls, vectors, tags, **kwargs):
        """A tagger that holds the training set.

        Args:
            vectors: float32 `[N, d]`.
            tags: bool `[N, W]`. Images without any word are left out: they have
                nothing to pass on.
            **kwargs: Other arguments of the class.

        Raises:
            ValueError: If no image carries a word.
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

    def build(self, input_shape):
        self.vectors = self.add_weight(
            shape=(self.images, input_shape[-1]), name="vectors"
        )
        self.tags = self.add_weight(shape=(self.images, self.words), name="tags")

    def compute_output_shape(self, input_shape):
        return (input_shape[0], self.words)

    def get_config(self):
        return {
            **super().get_config(),
            "images": self.images,
            "words": self.words,
        }
