"""What a captioner learns from: regions on disk, or images and the backbone too."""

import numpy as np
import tensorflow as tf

from annotator.runs import run as pipeline
from annotator.training.augmented_images import AugmentedImages


class CachedRegions:
    """Regions that a frozen backbone left on disk.

    Args:
        train, validation: `pipeline.Split`s of regions.
        mirrored: The training images' mirror images, a `pipeline.Split`; or `None`.
            With it an image is seen one way and the other in turn, epoch by epoch.
    """

    backbone = None

    def __init__(self, train, validation, mirrored=None):
        self.train = train
        self.validation = validation
        self._views = [train] if mirrored is None else [train, mirrored]
        cells, rows, channels = train.caches[0].shape
        self.signature = tf.TensorSpec([None, cells * rows, channels], tf.float16)
        self.channels = channels

    def build(self):
        """Nothing is to be built; see `AugmentedImages`."""

    def read(self, rows, epoch):
        """What an epoch sees of training images, an array as `signature` says."""
        turn = (rows + epoch) % len(self._views)
        regions = np.empty((len(rows), *self.signature.shape[1:]), np.float16)
        for i, view in enumerate(self._views):
            now = turn == i
            regions[now] = view.caches[0].regions(view.rows[rows[now]])
        return regions

    def regions(self, batch, seed):
        """Regions `[B, R, D]` of a training batch, in the graph."""
        return batch

    def stream(self, split, batch_size):
        """`tf.data.Dataset` of the regions of a split's images, in order."""
        return split.regions(batch_size)


def captioner_inputs(config, workdir):
    """The inputs that `config` asks for, with their training and validation splits.

    They are to be built, in the scope of the strategy, before they are used.
    """
    load = pipeline.load_pixels if config.finetune_backbone else pipeline.load_split
    train, validation = (
        load(config, "captioner", split, workdir) for split in ("train", "validation")
    )
    if not config.finetune_backbone:
        mirrored = None
        if config.caption_flip:
            mirrored = load(config, "captioner", "train", workdir, mirrored=True)
            if mirrored.annotated.image_ids != train.annotated.image_ids:
                raise ValueError(
                    "Some training images can be read one way and not mirrored: remove "
                    f"those that {workdir}/skipped_images_train.csv lists."
                )
        return CachedRegions(train, validation, mirrored)
    (resize,) = pipeline.build_resizes(config, "captioner")
    return AugmentedImages(
        train,
        validation,
        resize,
        lambda: pipeline.build_backbone(config, "captioner", trainable=True),
        mirror=config.caption_flip,
    )
