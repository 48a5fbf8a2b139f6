"""The tagger as a Keras model of its own, which is fitted to a data set."""

import itertools
from collections.abc import Collection, Iterable, Iterator
from typing import Any

import keras
import numpy as np
import tensorflow as tf

from annotator.tagger.choice.strengths import Strengths
from annotator.tagger.lift.cooccurrence import MOST_WORDS
from annotator.tagger.mean_scores import fit_mean_scores, unfitted_mean_scores
from annotator.tagger.pooling.encoder import (
    DESCRIPTOR_SAMPLE,
    MEAN,
    fit_encoder,
    sample_descriptors,
    vector_pooling,
)
from annotator.tagger.pooling.power import SignedPower
from annotator.tagger.pooling.projection import projection_layer
from annotator.tagger.top_tags import TopTags

_ROWS = 32  # of a batch, where arrays are given


@keras.saving.register_keras_serializable(package="annotator")
class Tagger(keras.Model):
    """Tags images by the words whose mean vectors are nearest.

    Descriptors are standardized and projected on their principal components; what they
    differ by from the nearest of some visual words makes the vector of an image (VLAD),
    which is compared with the mean vector of every word. All of it has closed forms or
    is clustered: nothing is compiled and there are no epochs. The numbers are those of
    `train.py --task=tagger`.

    Args:
        words: The W words.
        descriptor_power: Power of the descriptors, taken before all else, see
            `SignedPower`; 1 leaves them as they are.
        components: Principal components of a descriptor.
        codebook: Visual words.
        vlad: Normalizations of the VLAD vector, or `("mean",)`, see `vector_pooling`.
        covariance: Dimensions of `CovarianceRoot`, which joins it; 0 for none.
        similarity: `"whitened"`, `"l2"` or `"cosine"`, see `fit_mean_scores`.
        shrinkage: See `fit_mean_scores`; `None` to choose it.
        margin: See `fit_mean_scores`; `None` to choose it.
        lift: See `fit_mean_scores`; `None` to choose it.
        seed: Of the sample of descriptors and of their clusters.
        **kwargs: Of `keras.Model`.

    Attributes:
        strengths: `Strengths` of the last fit, chosen or given; `None` before it, and
            of other similarities.

    Call arguments:
        regions: The descriptors of images, float `[B, R, D]`.

    Output shape:
        float32 scores `[B, W]`; larger is better.

    Raises:
        ValueError: When it is used before it is fitted.

    Example:

    ```python
    tagger = annotator.Tagger(words, components=64).fit(train)
    tagger.predict(regions)  # scores [N, W]
    tagger.tags(regions, top_k=5)  # words, best first
    tagger.save("tagger.keras")
    ```

    Source: "Image annotation based on middle-layer convolution features of deep
    learning".
    """

    def __init__(
        self,
        words: Iterable[str],
        descriptor_power: float = 0.5,
        components: int = 256,
        codebook: int = 16,
        vlad: Collection[str] = ("power", "l2"),
        covariance: int = 96,
        similarity: str = "whitened",
        shrinkage: float | None = None,
        margin: float | None = None,
        lift: float | None = None,
        seed: int = 0,
        **kwargs: Any,
    ) -> None:
        super().__init__(autocast=False, **kwargs)
        self.words = tuple(words)
        self.descriptor_power = descriptor_power
        self.components = components
        self.codebook = codebook
        self.vlad = tuple(vlad)
        self.covariance = covariance
        self.similarity = similarity
        self.shrinkage = shrinkage
        self.margin = margin
        self.lift = lift
        self.seed = seed
        self.strengths: Strengths | None = None
        self.channels: int | None = None

    def fit(self, x: Any, y: Any = None, images: int | None = None) -> "Tagger":
        """Fits the tagger; one that is fitted already forgets what it knew.

        The data are read in passes: one that counts images, unless their number is
        given, one for a sample of descriptors, one for the images' vectors, which are
        kept in memory. Where regions are made on the fly, `Dataset.cache` pays.

        Args:
            x: `tf.data.Dataset` of `(regions, tags)`, batches `[B, R, D]` and `[B, W]`,
                where tags are above 0 for the words of an image; or another iterable of
                such pairs that can be read more than once; or regions `[N, R, D]`.
            y: The tags, `[N, W]`, where `x` are regions.
            images: Number N of images.

        Returns:
            The tagger itself.

        Raises:
            ValueError: When the data are of another form or fit neither the words nor
                `images`, when none carries a word, or when they are too few for
                `components` or `codebook`.
        """
        batches = _Batches(x, y, len(self.words))
        if images is None:
            images = sum(len(tags) for _, tags in batches)
        sample = sample_descriptors(
            (regions for regions, _ in batches), images, DESCRIPTOR_SAMPLE, self.seed
        )
        codebook = None if self.vlad == MEAN else self.codebook
        fitted = fit_encoder(
            sample, self.components, codebook, self.seed, self.descriptor_power
        )
        self._make_layers(sample.shape[-1])
        self.projection.set_weights([fitted["kernel"], fitted["bias"]])
        if codebook is not None:
            self.pooling.set_weights([fitted["codebook"]])
        encoded = [(self.encode(regions).numpy(), tags) for regions, tags in batches]
        vectors, tags = (np.concatenate(parts) for parts in zip(*encoded, strict=True))
        if len(tags) != images:
            raise ValueError(f"There are {len(tags)} images, not images={images}.")
        if not tags.any():
            raise ValueError("No image carries a word: there is nothing to learn.")
        layers, self.strengths = fit_mean_scores(
            vectors,
            tags,
            self.similarity,
            self.shrinkage,
            self.margin,
            self.lift,
            seed=self.seed,
        )
        for ours, fitted_layer in itertools.zip_longest(self._last(), layers):
            weights = [np.zeros_like(weight) for weight in ours.get_weights()]
            # Without a lift the layer is there, and adds nothing.
            ours.set_weights(fitted_layer.get_weights() if fitted_layer else weights)
        self.built = True
        return self

    def encode(self, regions: tf.Tensor) -> tf.Tensor:
        """The vectors of images.

        Args:
            regions: Float `[B, R, D]`.

        Returns:
            float32 `[B, d]`.
        """
        return self.pooling(self.projection(self.power(regions)))

    def call(self, regions: tf.Tensor) -> tf.Tensor:
        scores = self.encode(regions)
        for layer in self._last():
            scores = layer(scores)
        return scores

    def tags(
        self, regions: Any, top_k: int = 5, threshold: float | None = None
    ) -> list[list[str]]:
        """The words of images.

        Args:
            regions: What `predict` takes: `[N, R, D]` or a data set of batches.
            top_k: Words an image gets at most; 0 for no bound.
            threshold: Lowest score of a word; `None` for no limit.

        Returns:
            The words of each image, best first.
        """
        top = TopTags(self.words, top_k, threshold)
        best = top(self.predict(regions, verbose=0))["tags"].numpy()
        return [[tag.decode("utf-8") for tag in row if tag] for row in best]

    def build(self, regions_shape: tuple) -> None:
        raise ValueError("This tagger is not fitted: call fit, or load a fitted one.")

    def get_build_config(self) -> dict[str, Any] | None:
        return {"channels": self.channels} if self.built else None

    def build_from_config(self, config: dict[str, Any]) -> None:
        self._make_layers(config["channels"])
        self.built = True

    def get_config(self) -> dict[str, Any]:
        return {
            "name": self.name,
            "words": list(self.words),
            "descriptor_power": self.descriptor_power,
            "components": self.components,
            "codebook": self.codebook,
            "vlad": list(self.vlad),
            "covariance": self.covariance,
            "similarity": self.similarity,
            "shrinkage": self.shrinkage,
            "margin": self.margin,
            "lift": self.lift,
            "seed": self.seed,
        }

    @classmethod
    def from_config(cls, config: dict[str, Any]) -> "Tagger":
        # Files of earlier versions have none of these.
        before = {"descriptor_power": 1.0, "covariance": 0, "lift": 0.0}
        return cls(**{**before, **config})

    def _last(self):
        """The layers from vectors to scores."""
        return [self.scores, self.lifting] if self.lifting else [self.scores]

    def _make_layers(self, channels: int) -> None:
        """Makes the layers, of zeros, unless they are there."""
        if self.channels is None:
            kernel = np.zeros((channels, self.components))
            codebook = np.zeros((self.codebook, self.components))
            self.power = SignedPower(self.descriptor_power, name="power")
            self.projection = projection_layer(kernel, kernel[0])
            self.pooling = vector_pooling(
                self.vlad, self.covariance, self.components, codebook
            )
            regions = keras.KerasTensor((None, None, self.components), "float64")
            self.scores, *lift = unfitted_mean_scores(
                self.pooling.compute_output_spec(regions).shape[-1],
                len(self.words),
                self.similarity,
                self.lift != 0 and len(self.words) <= MOST_WORDS,
            )
            self.lifting = lift[0] if lift else None
            self.channels = channels
        if self.channels != channels:
            raise ValueError(
                f"The tagger was fitted to regions of {self.channels} channels, got "
                f"{channels}: make another one."
            )


class _Batches:
    """Pairs of regions `[B, R, D]` and tags, bool `[B, W]`, as often as wanted."""

    def __init__(self, x: Any, y: Any, words: int) -> None:
        if y is not None:
            if len(x) != len(y):
                raise ValueError(f"{len(x)} images, but tags of {len(y)}.")
            starts = range(0, len(x), _ROWS)
            x = [(x[i : i + _ROWS], y[i : i + _ROWS]) for i in starts]
        elif isinstance(x, Iterator):
            raise ValueError("fit reads its data more than once, and this ends.")
        elif isinstance(x, tf.data.Dataset):
            if x.cardinality() == tf.data.INFINITE_CARDINALITY:
                raise ValueError("The data set has no end: leave out its repeat().")
        self.pairs = x
        self.words = words

    def __iter__(self) -> Iterator[tuple[np.ndarray, np.ndarray]]:
        for batch in self.pairs:
            if not isinstance(batch, tuple | list) or len(batch) != 2:
                raise ValueError("The tagger is fitted to pairs of (regions, tags).")
            regions, tags = map(np.asarray, batch)
            if regions.ndim != 3 or tags.shape != (len(regions), self.words):
                raise ValueError(
                    "Expected regions [B, R, D] and tags of shape [B, "
                    f"{self.words}], a column a word; got {regions.shape} and "
                    f"{tags.shape}."
                )
            yield regions, tags > 0
