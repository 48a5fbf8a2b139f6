"""What a captioner learns from: regions on disk, or images and the backbone too."""

import numpy as np
import tensorflow as tf

from annotator.runs.heads import CAPTIONER
from annotator.runs.run import Run
from annotator.runs.splits import Split
from annotator.training.learned_regions import LearnedRegions


class CachedRegions:
    """Regions that a frozen backbone left on disk.

    Args:
        train: The training images, a `Split` of regions.
        validation: The validation images, a `Split` of regions, or `None` if they are
            learned.
        mirrored: The training images' mirror images, or `None`. With it an image is
            seen one way and the other in turn, epoch by epoch.

    Attributes:
        signature: `tf.TensorSpec` of what `read` returns.
        channels: Channels of a region.
    """

    backbone = None

    def __init__(
        self, train: Split, validation: Split | None, mirrored: Split | None = None
    ) -> None:
        self.train = train
        self.validation = validation
        self._views = [train] if mirrored is None else [train, mirrored]
        height, width, channels = train.caches[0].shape
        self.signature = tf.TensorSpec([None, height * width, channels], tf.float16)
        self.channels = channels

    def build(self) -> None:
        """Nothing is to be built; see `LearnedRegions`."""

    def read(self, rows: np.ndarray, epoch: int) -> np.ndarray:
        """What an epoch sees of training images, an array as `signature` says.

        Args:
            rows: int `[B]`, rows of the training split.
            epoch: Number of the epoch.
        """
        turn = (rows + epoch) % len(self._views)
        regions = np.empty((len(rows), *self.signature.shape[1:]), np.float16)
        for i, view in enumerate(self._views):
            now = turn == i
            regions[now] = view.caches[0].regions(view.rows[rows[now]])
        return regions

    def views(self, epoch: int, batch_size: int) -> tf.data.Dataset:
        """`tf.data.Dataset` of the training images as an epoch sees them, in order.

        Args:
            epoch: Number of the epoch.
            batch_size: Images of a batch.
        """

        def batches():
            for start in range(0, len(self.train), batch_size):
                rows = np.arange(start, min(start + batch_size, len(self.train)))
                yield self.read(rows, epoch)

        dataset = tf.data.Dataset.from_generator(
            batches, output_signature=self.signature
        )
        return dataset.prefetch(2)

    def regions(self, batch: tf.Tensor, seed: tf.Tensor) -> tf.Tensor:
        """Regions `[B, R, D]` of a training batch, in the graph.

        Args:
            batch: As `signature` says.
            seed: int `[2]`; there is nothing to draw.
        """
        return batch

    def stream(self, split: Split, batch_size: int) -> tf.data.Dataset:
        """`tf.data.Dataset` of the regions of a split's images, in order.

        Args:
            split: A `Split` of regions.
            batch_size: Images of a batch.
        """
        return split.regions(batch_size)


def captioner_inputs(run: Run) -> CachedRegions | LearnedRegions:
    """The inputs that a run asks for, with the splits that it learns and selects by.

    They are to be built, in the scope of the strategy, before they are used.

    Raises:
        ValueError: If a split cannot be had, or an image cannot be read mirrored.
    """
    learned, selects = run.config.train_split, CAPTIONER.reads_validation(run.config)
    if CAPTIONER.trains_backbone(run.config):
        (resize,) = CAPTIONER.views(run.config)
        return LearnedRegions(
            run.pixels(CAPTIONER, learned),
            run.pixels(CAPTIONER, "validation") if selects else None,
            resize,
            lambda: run.trainable_backbone(CAPTIONER),
            mirror=run.config.caption_flip,
        )
    train = run.split(CAPTIONER, learned)
    validation = run.split(CAPTIONER, "validation") if selects else None
    mirrored = None
    if run.config.caption_flip:
        mirrored = run.split(CAPTIONER, learned, mirrored=True)
        if mirrored.annotated.image_ids != train.annotated.image_ids:
            raise ValueError(
                "Some training images can be read one way and not mirrored: remove "
                f"those that {run.files.skipped_images(learned)} lists."
            )
    return CachedRegions(train, validation, mirrored)
