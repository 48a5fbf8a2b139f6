"""Regions of a backbone that learns together with what reads them."""

from collections.abc import Callable

import keras
import numpy as np
import tensorflow as tf

from annotator.images.augment import augment_images
from annotator.images.resize import Resize
from annotator.runs.splits import Split


class LearnedRegions:
    """Images, seen otherwise in every epoch, and a backbone that learns with the rest.

    Args:
        train: The training images, a `Split` of pixels.
        validation: The validation images, a `Split` of pixels, or `None` if they are
            learned.
        resize: The view that evaluation and exports see.
        build_backbone: A function that makes a trainable backbone.
        mirror: Whether images may be seen mirrored.

    Attributes:
        signature: `tf.TensorSpec` of what `read` returns.
        backbone: The backbone, once `build` was called.
        channels: Its number of channels.
    """

    def __init__(
        self,
        train: Split,
        validation: Split | None,
        resize: Resize,
        build_backbone: Callable[[], keras.Model],
        mirror: bool = True,
    ) -> None:
        self.train = train
        self.validation = validation
        self.resize = resize
        self.mirror = mirror
        self.signature = tf.TensorSpec([None, *train.caches[0].shape], tf.float16)
        self._build_backbone = build_backbone
        self._unaugmented = tf.function(
            self._regions, reduce_retracing=True, autograph=False
        )

    def build(self) -> None:
        """Makes the backbone, which all workers do at the same time."""
        self.backbone = self._build_backbone()
        (maps,) = self.backbone.output.values()
        self.channels = maps.shape[-1]

    def read(self, rows: np.ndarray, epoch: int) -> np.ndarray:
        """What an epoch sees of training images, an array as `signature` says.

        Args:
            rows: int `[B]`, rows of the training split.
            epoch: Number of the epoch.
        """
        return self.train.caches[0].gather(self.train.rows[rows])

    def views(self, epoch: int, batch_size: int) -> tf.data.Dataset:
        """`tf.data.Dataset` of the regions of the training images, in order.

        They are those of whole images. What an epoch sees is cropped, colored and
        perhaps mirrored as the seed of a step says, and so no draft can be of it.

        Args:
            epoch: Number of the epoch.
            batch_size: Images of a batch.
        """
        return self.stream(self.train, batch_size)

    def regions(self, batch: tf.Tensor, seed: tf.Tensor) -> tf.Tensor:
        """Regions `[B, R, D]` of a training batch, in the graph.

        Args:
            batch: As `signature` says.
            seed: int `[2]`; equal seeds make equal crops, flips and colors, however
                many replicas share a batch.
        """
        context = tf.distribute.get_replica_context()
        positions = tf.range(tf.shape(batch)[0]) * context.num_replicas_in_sync
        positions += context.replica_id_in_sync_group
        size = self.resize.size
        return self._regions(augment_images(batch, size, seed, positions, self.mirror))

    def stream(self, split: Split, batch_size: int) -> tf.data.Dataset:
        """`tf.data.Dataset` of the regions of a split's images, in order.

        Args:
            split: A `Split` of pixels.
            batch_size: Images of a batch.
        """
        pixels = split.pixels(batch_size)
        # Those of the validation split have the view's size, and stay as they are.
        return pixels.map(lambda batch: self._unaugmented(self.resize(batch)))

    def _regions(self, pixels):
        # Batch normalization keeps its ImageNet statistics: batches are small.
        (maps,) = self.backbone(pixels, training=False).values()
        return tf.reshape(maps, [tf.shape(maps)[0], -1, maps.shape[-1]])
