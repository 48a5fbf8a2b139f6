"""The re-ranker: captions scored by the consensus that an image's regions predict."""

import typing
from collections.abc import Mapping

import keras
import numpy as np
import tensorflow as tf

from annotator.captioner.reranking.consensus import Consensus
from annotator.captioner.reranking.image_vector import image_vectors
from annotator.captioner.reranking.ngrams import (
    NO_CODE,
    code_base,
    find_codes,
    ngram_codes,
)
from annotator.captioner.reranking.ridge import LowRankRidge

_OF_RIDGE = ("center", "inner", "outer", "offset")
_ARRAYS = ("codes", "ngram_weights", *_OF_RIDGE)


@keras.saving.register_keras_serializable(package="annotator")
class ConsensusReranker(keras.layers.Layer):
    """Scores captions by how near they are to what people would say of the image.

    A linear map predicts from the regions what the mean TF-IDF vector of an image's
    references would be (see `Consensus`); a caption's score is the dot product of its
    own vector with that one, an expected CIDEr. It is the tagger's idea applied to
    n-grams: no training image is stored. `fit_reranker` makes one.

    Args:
        vocabulary_size: V.
        ngrams: G, the n-grams that are predicted.
        rank: r, of the linear map.
        beam_weight: What the sampler's score is multiplied by before it is added.
        **kwargs: Of `keras.layers.Layer`.

    Call arguments:
        regions: `[B, R, D]`, of any dtype.
        tokens: Integers `[B, K, T]`, K captions an image as samplers return them.
        region_mask: bool `[B, R]`, false for padding; by default there is none.

    Output shape:
        float32 `[B, K]`: the consensus of each caption, without the sampler's score.

    Reference:
        Devlin et al., Exploring nearest neighbor approaches for image captioning, 2015
        (consensus captions), with a regression in place of the neighbors.
    """

    def __init__(
        self,
        vocabulary_size: int,
        ngrams: int,
        rank: int,
        beam_weight: float = 0.03,
        **kwargs: typing.Any,
    ) -> None:
        kwargs = {"dtype": "float32", "trainable": False, **kwargs}
        super().__init__(**{"name": "reranker", "autocast": False, **kwargs})
        self.vocabulary_size = vocabulary_size
        self.ngrams = ngrams
        self.rank = rank
        self.beam_weight = beam_weight
        self._base = code_base(vocabulary_size)

    @classmethod
    def from_fit(
        cls,
        vocabulary_size: int,
        consensus: Consensus,
        ridge: LowRankRidge,
        **kwargs: typing.Any,
    ) -> "ConsensusReranker":
        """Makes a re-ranker of what was learned.

        Args:
            vocabulary_size: V.
            consensus: What the references have in common.
            ridge: The regression from image vectors to it.
            **kwargs: Of the class.

        Returns:
            The re-ranker, built.
        """
        arrays = {name: getattr(ridge, name) for name in _OF_RIDGE}
        arrays |= {"codes": consensus.codes, "ngram_weights": consensus.weights}
        return cls.from_arrays(vocabulary_size, arrays, **kwargs)

    @classmethod
    def from_arrays(
        cls,
        vocabulary_size: int,
        arrays: Mapping[str, np.ndarray],
        **kwargs: typing.Any,
    ) -> "ConsensusReranker":
        """Makes a re-ranker of its weights.

        Args:
            vocabulary_size: V.
            arrays: As of the method `arrays`.
            **kwargs: Of the class.

        Returns:
            The re-ranker, built.
        """
        rank, ngrams = arrays["outer"].shape
        reranker = cls(vocabulary_size, ngrams, rank, **kwargs)
        reranker.build((None, None, len(arrays["center"]) // 2))
        for name in _ARRAYS:
            getattr(reranker, name).assign(arrays[name])
        return reranker

    def arrays(self) -> dict[str, np.ndarray]:
        """Its weights by the names of its attributes."""
        return {name: getattr(self, name).numpy() for name in _ARRAYS}

    def build(self, regions_shape: tuple) -> None:
        self.regions_shape = tuple(regions_shape)
        size = 2 * regions_shape[-1]
        # Ascending codes of n-grams, and one that is larger than all.
        self.codes = self._fixed("codes", (self.ngrams + 1,), "int64", NO_CODE)
        self.ngram_weights = self._fixed("ngram_weights", (self.ngrams + 1,))
        self.center = self._fixed("center", (size,))
        self.inner = self._fixed("inner", (size, self.rank))
        self.outer = self._fixed("outer", (self.rank, self.ngrams))
        self.offset = self._fixed("offset", (self.ngrams,))
        self.built = True

    def _fixed(self, name, shape, dtype="float32", value=0):
        def initial(shape, dtype=None):
            return np.full(shape, value, dtype)

        return self.add_weight(
            name=name,
            shape=shape,
            dtype=dtype,
            initializer=initial,
            trainable=False,
            autocast=False,
        )

    def call(
        self,
        regions: tf.Tensor,
        tokens: tf.Tensor,
        region_mask: tf.Tensor | None = None,
    ) -> tf.Tensor:
        expected = self.expected(regions, region_mask)
        codes = ngram_codes(tokens, self._base)  # [B, K, T, 4]
        places = find_codes(codes, tf.convert_to_tensor(self.codes))
        weights = tf.gather(tf.convert_to_tensor(self.ngram_weights), places)
        weights = tf.where(codes > 0, weights, 0.0)
        # The squared norm has a term an n-gram, (count * weight)^2: one a place here.
        same = codes[:, :, :, None] == codes[:, :, None]
        counts = tf.reduce_sum(tf.cast(same, tf.float32), axis=3)
        norms = tf.sqrt(tf.reduce_sum(counts * tf.square(weights), axis=2))
        worth = tf.gather(expected, places, axis=1, batch_dims=1)
        products = tf.reduce_sum(weights * worth, axis=2)  # [B, K, 4]
        return tf.reduce_sum(tf.math.divide_no_nan(products, norms), axis=-1)

    def expected(
        self, regions: tf.Tensor, region_mask: tf.Tensor | None = None
    ) -> tf.Tensor:
        """What the mean vector of the references is expected to be.

        Args:
            regions: `[B, R, D]`.
            region_mask: bool `[B, R]`, false for padding; by default there is none.

        Returns:
            float32 `[B, G + 1]`, of the n-grams in the order of their codes; 0 for all
            others together.
        """
        vectors = image_vectors(regions, region_mask) - self.center
        predicted = (vectors @ self.inner) @ self.outer + self.offset
        return tf.pad(predicted, [[0, 0], [0, 1]])

    def order(
        self,
        regions: tf.Tensor,
        found: dict[str, tf.Tensor],
        region_mask: tf.Tensor | None = None,
    ) -> tf.Tensor:
        """The order of the captions that a sampler found.

        Args:
            regions: `[B, R, D]`.
            found: As samplers return it, K captions an image.
            region_mask: bool `[B, R]`, false for padding; by default there is none.

        Returns:
            int32 `[B, K]`, best first; captions that there are not come last.
        """
        scores = found["scores"]
        exists = tf.math.is_finite(scores)
        consensus = self(regions, found["tokens"], region_mask=region_mask)
        total = consensus + self.beam_weight * tf.where(exists, scores, 0.0)
        total = tf.where(exists, total, float("-inf"))
        return tf.argsort(total, axis=1, direction="DESCENDING", stable=True)

    def get_config(self) -> dict:
        return {
            **super().get_config(),
            "vocabulary_size": self.vocabulary_size,
            "ngrams": self.ngrams,
            "rank": self.rank,
            "beam_weight": self.beam_weight,
        }

    def get_build_config(self) -> dict:
        return {"regions_shape": self.regions_shape}

    def build_from_config(self, config: dict) -> None:
        self.build(config["regions_shape"])
