"""The batches of the captioner's training: which images, in which order, how long."""

from collections.abc import Iterator, Sequence

import numpy as np
import tensorflow as tf

from annotator.captioner import Vocabulary
from annotator.config import Config
from annotator.training.batches import shared_batches
from annotator.training.captioner.inputs import CachedRegions
from annotator.training.learned_regions import LearnedRegions

# Batches are cut from pools of this many, sorted by length: little padding, and still
# other neighbors in every epoch.
_POOL = 32
# Lengths are rounded up to these steps, so that few shapes are compiled.
_LENGTH_STEP = 4


class CaptionBatches:
    """Batches of images, each with all its captions.

    They are a function of the seed and the epoch alone, so a continued run goes on with
    the batch at which it stopped.

    Args:
        config: `Config`.
        inputs: `CachedRegions` or `LearnedRegions`, of splits with captions.
        vocabulary: `Vocabulary`.

    Attributes:
        tokens: int32 `[N, C, max_length + 2]`, the captions of the training images;
            images with fewer captions than others have empty rows.
    """

    def __init__(
        self,
        config: Config,
        inputs: CachedRegions | LearnedRegions,
        vocabulary: Vocabulary,
    ) -> None:
        self.seed = config.seed
        self.batch_size = config.caption_batch
        self.inputs = inputs
        captions = inputs.train.annotated.captions or ()
        self.tokens = encode_references(vocabulary, captions, config.max_length)
        self.longest = (self.tokens != 0).sum(axis=2).max(axis=1)

    def __len__(self) -> int:
        """Batches of an epoch."""
        return -(-len(self.tokens) // self.batch_size)

    def rows(self, epoch: int) -> list[np.ndarray]:
        """Rows of the training images in each batch of an epoch, a list of arrays."""
        rng = np.random.default_rng([self.seed, epoch])
        batches = []
        for pool in _split(rng.permutation(len(self.tokens)), _POOL * self.batch_size):
            by_length = pool[np.argsort(self.longest[pool], kind="stable")]
            batches += _split(by_length, self.batch_size)
        return [batches[i] for i in rng.permutation(len(batches))]

    def stream(
        self,
        epoch: int,
        start: int,
        drafts: np.ndarray | None,
        strategy: tf.distribute.Strategy,
    ) -> Iterator[tuple]:
        """What an epoch's steps take, read ahead in the background.

        Args:
            epoch: Number of the epoch.
            start: Batches that are left out, as they are done.
            drafts: int32 `[N, rounds, L]`, drafts of all training images, or `None`.
            strategy: `tf.distribute.Strategy` among whose replicas a batch is shared.

        Yields:
            `(batch, tokens, draft)`, per-replica values where there are several
            replicas: what `inputs.regions` takes, int32 `[B, C, T]`, and int32
            `[B, rounds, L]` or `None`.
        """
        replicas = strategy.num_replicas_in_sync
        signature = self.inputs.signature
        batches = self.rows(epoch)[start:]

        def read(step, replica):
            rows = batches[step]
            length = int(self.longest[rows].max())
            length = -(-length // _LENGTH_STEP) * _LENGTH_STEP
            own = rows[replica::replicas]
            tokens = self.tokens[own, :, :length]
            if not len(own):  # a replica without images gets one without captions
                own = rows[:1]
                tokens = np.zeros_like(self.tokens[own, :, :length])
            regions = self.inputs.read(own, epoch)
            return (regions, tokens, *([] if drafts is None else [drafts[own]]))

        specs = [signature, tf.TensorSpec([None, self.tokens.shape[1], None], tf.int32)]
        if drafts is not None:
            specs.append(tf.TensorSpec([None, *drafts.shape[1:]], tf.int32))
        for batch in shared_batches(read, len(batches), specs, strategy):
            yield (*batch, None)[:3]


def encode_references(
    vocabulary: Vocabulary, captions: Sequence[Sequence[str]], max_length: int
) -> np.ndarray:
    """References as ids, int32 `[N, C, max_length + 2]`.

    Args:
        vocabulary: `Vocabulary`.
        captions: The references of N images; those with fewer than others get empty
            rows.
        max_length: Words that are kept of a reference.
    """
    most = max(map(len, captions))
    tokens = np.zeros((len(captions), most, max_length + 2), np.int32)
    for row, texts in enumerate(captions):
        tokens[row, : len(texts)] = vocabulary.encode(texts, max_length + 2)
    return tokens


def _split(rows, size):
    return np.split(rows, np.arange(size, len(rows), size))
