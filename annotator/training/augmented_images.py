"""What a network learns from that is trained down to the pixels."""

import tensorflow as tf

from annotator.images import decode as images


class AugmentedImages:
    """Images, seen otherwise in every epoch, and a backbone that learns with the rest.

    Args:
        train, validation: `pipeline.Split`s of pixels.
        resize: The view that evaluation and exports see, an `images.Resize`.
        build_backbone: A function that makes a trainable backbone.
        mirror: Whether images may be seen mirrored.
    """

    def __init__(self, train, validation, resize, build_backbone, mirror=True):
        self.train = train
        self.validation = validation
        self.resize = resize
        self.mirror = mirror
        self.signature = tf.TensorSpec([None, *train.caches[0].shape], tf.float16)
        self._build_backbone = build_backbone
        self._still = tf.function(self._regions, reduce_retracing=True)

    def build(self):
        """Makes the backbone, which all workers do at the same time."""
        self.backbone = self._build_backbone()
        (maps,) = self.backbone.output.values()
        self.channels = maps.shape[-1]

    def read(self, rows, epoch):
        """What an epoch sees of training images, an array as `signature` says."""
        return self.train.caches[0].gather(self.train.rows[rows])

    def regions(self, batch, seed):
        """Regions `[B, R, D]` of a training batch, in the graph.

        Args:
            batch: As `signature` says.
            seed: int `[2]`; equal seeds make equal crops, flips and colors, however
                many replicas share a batch.
        """
        context = tf.distribute.get_replica_context()
        places = tf.range(tf.shape(batch)[0]) * context.num_replicas_in_sync
        places += context.replica_id_in_sync_group
        size = self.resize.size
        return self._regions(images.augment(batch, size, seed, places, self.mirror))

    def stream(self, split, batch_size):
        """`tf.data.Dataset` of the regions of a split's images, in order."""
        pixels = split.pixels(batch_size)
        # Those of the validation split have the view's size, and stay as they are.
        return pixels.map(lambda batch: self._still(self.resize(batch)))

    def _regions(self, pixels):
        # Batch normalization keeps its ImageNet statistics: batches are small.
        (maps,) = self.backbone(pixels, training=False).values()
        return tf.reshape(maps, [tf.shape(maps)[0], -1, maps.shape[-1]])
