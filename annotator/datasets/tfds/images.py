"""Images of a TFDS split, as the source of a data set's images."""

from collections.abc import Iterator, Sequence

import numpy as np
import tensorflow as tf
import tensorflow_datasets as tfds


class TfdsImages:
    """The encoded images of some rows of a prepared TFDS split, in order.

    Records are read as a stream, so that every file format of TFDS will do; rows
    therefore have to increase.

    Args:
        builder: A prepared `tfds.core.DatasetBuilder`.
        split: The TFDS split to read, for instance `"train[:90%]"`.
        feature: Name of the image feature.
        rows: Row numbers of the split, int `[N]`, increasing; `None` for all.

    Raises:
        ValueError: When rows do not increase.
    """

    def __init__(
        self,
        builder: tfds.core.DatasetBuilder,
        split: str,
        feature: str = "image",
        rows: Sequence[int] | np.ndarray | None = None,
    ) -> None:
        self.builder = builder
        self.split = split
        self.feature = feature
        if rows is None:
            rows = np.arange(builder.info.splits[split].num_examples)
        self.rows = np.asarray(rows, np.int64)
        if np.any(np.diff(self.rows) <= 0):
            raise ValueError(
                f"Rows of the TFDS split {split!r} must increase, since its records "
                "are read as a stream; sort them."
            )

    def __len__(self) -> int:
        return len(self.rows)

    def encoded_images(self, start: int = 0) -> tf.data.Dataset:
        """Streams the stored bytes, undecoded.

        Args:
            start: The first row wanted.

        Returns:
            A `tf.data.Dataset` of scalar strings.
        """
        rows = self.rows[start:]
        if not rows.size:
            return tf.data.Dataset.from_tensor_slices(tf.zeros([0], tf.string))
        first = rows[0]
        span = rows[-1] - first + 1
        dataset = read_in_order(self.builder, self.split)
        dataset = dataset.map(lambda example: example[self.feature])
        dataset = dataset.skip(first).take(span)
        if len(rows) < span:
            mask = np.zeros(span, bool)
            mask[rows - first] = True
            wanted = tf.data.Dataset.from_tensor_slices(mask)
            dataset = tf.data.Dataset.zip(dataset, wanted)
            dataset = dataset.filter(lambda _, keep: keep)
            dataset = dataset.map(lambda image, _: image)
        return dataset

    def read(self, row: int) -> bytes:
        """The stored bytes of one image.

        Args:
            row: Its row.

        Returns:
            The bytes.
        """
        return next(self.encoded_images(row).take(1).as_numpy_iterator())

    def states(self) -> Iterator[str]:
        """The state of each image: the data set's version and sizes, and the row.

        Yields:
            A line of text.
        """
        info = self.builder.info
        # The bytes too: a data set prepared anew may differ under the same version.
        sizes = [
            f"{name} {split.num_examples} {split.num_bytes}"
            for name, split in sorted(info.splits.items())
        ]
        state = f"{info.full_name} {', '.join(sizes)}: {self.split}"
        for row in self.rows:
            yield f"{state} {row}"

    def select(self, rows: np.ndarray) -> "TfdsImages":
        """The images of the given rows, which have to increase."""
        return TfdsImages(self.builder, self.split, self.feature, self.rows[rows])


def read_in_order(builder: tfds.core.DatasetBuilder, split: str) -> tf.data.Dataset:
    """Reads a split, always in the same order, its images undecoded.

    Args:
        builder: A prepared `tfds.core.DatasetBuilder`.
        split: The TFDS split.

    Returns:
        A `tf.data.Dataset` of the examples, dicts of tensors.
    """
    undecoded = {
        name: tfds.decode.SkipDecoding()
        for name, feature in builder.info.features.items()
        if isinstance(feature, tfds.features.Image)
    }
    return builder.as_dataset(
        split=split,
        shuffle_files=False,
        decoders=undecoded,
        # One shard after the other: the order then does not hang on threads.
        read_config=tfds.ReadConfig(interleave_cycle_length=1, try_autocache=False),
    )
