"""A model of image regions that standardizes their channels first."""

import typing
from collections.abc import Iterable

import keras
import numpy as np
import tensorflow as tf

from annotator.keras_support.powers import signed_power


class StandardizedModel(keras.Model):
    """Base class of models that take off the mean of regions' channels.

    Feature maps of different networks differ by orders of magnitude, and channels of
    one network as well; what all images share tells none of them apart.

    A subclass calls `build_standardization` before it builds anything else.

    Args:
        region_power: Power of the values of regions, taken before all else, see
            `signed_power`.
        **kwargs: Of `keras.Model`.

    Raises:
        ValueError: When the power is not positive.
    """

    def __init__(self, region_power: float = 1.0, **kwargs: typing.Any) -> None:
        super().__init__(autocast=False, **kwargs)
        if region_power <= 0:
            raise ValueError(f"region_power must be positive, got {region_power}.")
        self.region_power = region_power

    def build_standardization(self, regions_shape: tuple) -> None:
        """Makes the weights, which change nothing until `standardize` sets them.

        Args:
            regions_shape: `(None, None, D)`.
        """
        self.regions_shape = tuple(regions_shape)
        fixed = {"shape": regions_shape[-1:], "trainable": False, "dtype": "float32"}
        # Called as a layer, the model would round them: that it has no autocast holds
        # for its inputs alone.
        fixed["autocast"] = False
        self.region_mean = self.add_weight(
            initializer="zeros", name="region_mean", **fixed
        )
        self.region_deviation = self.add_weight(
            initializer="ones", name="region_deviation", **fixed
        )

    def adapt(self, data: tf.data.Dataset | np.ndarray | tf.Tensor | Iterable) -> None:
        """Fits the standardization, in the manner of `keras.layers.Normalization`.

        A model that is neither adapted nor given statistics reads regions as they are.
        An unbuilt model is built.

        Args:
            data: Regions of training images: batches `[B, R, D]`, alone or first in a
                tuple, as `fit` takes them; or all at once, `[N, R, D]`. A few hundred
                images do: `adapt(dataset.take(16))`.

        Raises:
            ValueError: When there are no regions, their batches have no end, or they
                have another shape than the model wants.
        """
        if isinstance(data, tf.data.Dataset):
            if data.cardinality() == tf.data.INFINITE_CARDINALITY:
                raise ValueError("The data set has no end: adapt to data.take(16).")
        elif isinstance(data, np.ndarray) or tf.is_tensor(data):
            data = [data]
        count, mean, squares = 0, np.float64(0), np.float64(0)
        for batch in data:
            batch = batch[0] if isinstance(batch, tuple | list) else batch
            self.build_for(batch)
            values = np.asarray(self.powers(batch), np.float64)
            rows = np.reshape(values, [-1, batch.shape[-1]])
            if not len(rows):
                continue
            # Chan et al., Algorithms for computing the sample variance, 1983.
            share = len(rows) / (count + len(rows))
            shift = rows.mean(axis=0) - mean
            squares += rows.var(axis=0) * len(rows) + np.square(shift) * count * share
            mean += shift * share
            count += len(rows)
        if not count:
            raise ValueError("There are no regions to adapt to.")
        self.standardize(mean, np.sqrt(squares / count))

    def build_for(self, regions: np.ndarray | tf.Tensor) -> None:
        """Builds the model for some regions, or checks that it is built for such.

        Args:
            regions: `[B, R, D]`.

        Raises:
            ValueError: When they have another shape.
        """
        shape: typing.Any = getattr(regions, "shape", ())
        if len(shape) != 3 or shape[-1] is None:
            raise ValueError(
                f"Regions must have the shape [batch, regions, channels], got {shape}. "
                "Make regions of feature maps by keras.layers.Reshape((-1, channels))."
            )
        if not self.built:
            self.build((None, None, shape[-1]))
        if shape[-1] != self.regions_shape[-1]:
            raise ValueError(
                f"The model is built for regions of {self.regions_shape[-1]} channels, "
                f"got {shape[-1]}."
            )

    def standardize(self, mean: np.ndarray, deviation: np.ndarray) -> None:
        """Sets what is taken off the channels of regions, and what they are divided by.

        Args:
            mean: `[D]`, of the training regions, of their powers.
            deviation: `[D]`; a channel that never varies (0) is only centered.
        """
        self.region_mean.assign(mean)
        self.region_deviation.assign(np.where(np.asarray(deviation) > 0, deviation, 1))

    def powers(self, regions: tf.Tensor) -> tf.Tensor:
        """The values of regions as they are standardized.

        Args:
            regions: `[B, R, D]`, of any dtype.

        Returns:
            float32 `[B, R, D]`.
        """
        regions = tf.cast(tf.convert_to_tensor(regions), tf.float32)
        return signed_power(regions, self.region_power)

    def standardized(self, regions: tf.Tensor) -> tf.Tensor:
        """Regions as the rest of the model wants them.

        Args:
            regions: `[B, R, D]`, of any dtype.

        Returns:
            float32 `[B, R, D]`.
        """
        return (self.powers(regions) - self.region_mean) / self.region_deviation

    def get_build_config(self) -> dict:
        return {"regions_shape": self.regions_shape}

    def build_from_config(self, config: dict) -> None:
        self.build(config["regions_shape"])

    def save_own_variables(self, store: dict) -> None:
        store["region_mean"] = self.region_mean.numpy()
        store["region_deviation"] = self.region_deviation.numpy()

    def load_own_variables(self, store: dict) -> None:
        self.region_mean.assign(store["region_mean"])
        self.region_deviation.assign(store["region_deviation"])
