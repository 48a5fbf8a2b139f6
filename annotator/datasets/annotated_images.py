"""`AnnotatedImages`, the form that every data set has for the rest of the package."""

import dataclasses
import functools
import hashlib
from collections.abc import Iterable, Iterator
from typing import Protocol

import numpy as np
import tensorflow as tf


class ImageSource(Protocol):
    """The bytes of N images, in order: `ImageFiles` or `TfdsImages`."""

    def __len__(self) -> int: ...

    def encoded_images(self, start: int = 0) -> tf.data.Dataset:
        """Streams the bytes as scalar strings, from row `start` on."""

    def read(self, row: int) -> bytes:
        """The bytes of one image."""

    def states(self) -> Iterator[str]:
        """The state of each image, which changes when its content does."""

    def select(self, rows: np.ndarray) -> "ImageSource":
        """The images of the given rows."""


@dataclasses.dataclass(frozen=True, eq=False)
class AnnotatedImages:
    """The images of one split in a fixed order, with their annotations.

    Row i of `tags` and `captions` belongs to `image_ids[i]`. Pixels stay where
    they are until `encoded_images` is read.

    Args:
        name: The data set, for instance `"corel5k"`.
        split: The split, for instance `"train"`.
        image_ids: Names of the N images, all different, as in the published lists.
        source: Where the bytes are: an `ImageFiles` or a `TfdsImages` of N images.
        words: Tag words W, the columns of `tags`.
        tags: Whether an image carries a word, bool `[N, W]`; `None` where the data set
            has no tags.
        captions: Raw captions of each of the N images, any number of them; `None`
            where the data set has no captions.
        skipped: Pairs `(image id, reason)` of the images left out at load because
            `skip_bad_images` was set.
        known: Whether an image was asked for a word, bool `[N, W]`: where it was not,
            that it lacks the tag says nothing. `None` if each was asked for all.
        parts: The splits that this one was joined of, one after the other; none if it
            was not joined.

    Raises:
        ValueError: When the parts do not fit together, or an image id occurs twice.

    Example:

    ```python
    images = datasets.load("corel5k", "validation", data_dir="corel5k")
    for row, encoded in images.encoded_images():
        print(images.image_ids[int(row)], len(encoded.numpy()))
    ```
    """

    name: str
    split: str
    image_ids: tuple[str, ...]
    source: ImageSource
    words: tuple[str, ...] = ()
    tags: np.ndarray | None = None
    captions: tuple[tuple[str, ...], ...] | None = None
    skipped: tuple[tuple[str, str], ...] = ()
    known: np.ndarray | None = None
    parts: "tuple[AnnotatedImages, ...]" = ()

    def __post_init__(self) -> None:
        where = f"{self.name} {self.split}"
        count = len(self.image_ids)
        if len(self.source) != count:
            raise ValueError(
                f"{where}: {count} image ids, but the source has {len(self.source)}."
            )
        _check_unique(self.image_ids, f"{where}: image id")
        _check_unique(self.words, f"{where}: tag word")
        shape = (count, len(self.words))
        for name, array in (("tags", self.tags), ("known", self.known)):
            if array is not None and (array.shape != shape or array.dtype != bool):
                raise ValueError(
                    f"{where}: `{name}` must be bool {shape}, one row an image and one "
                    f"column a word; got {array.dtype} {array.shape}."
                )
        if self.tags is not None and self.known is not None:
            if np.any(self.tags & ~self.known):
                raise ValueError(f"{where}: an image carries a word it does not know.")
        if self.captions is not None and len(self.captions) != count:
            raise ValueError(
                f"{where}: {count} images, but captions for {len(self.captions)}."
            )

    def __len__(self) -> int:
        return len(self.image_ids)

    def encoded_images(self, start: int = 0) -> tf.data.Dataset:
        """Streams the image files' bytes, undecoded, in row order.

        Args:
            start: The first row wanted; a resumed pass continues here.

        Returns:
            A `tf.data.Dataset` of `(row, image)`: a scalar int64 and a scalar string.
            An image that cannot be read comes as `b""`, so that one bad file does
            not end the pass and the reader can name the row; `source.read(row)` says
            why.

        Raises:
            ValueError: When there is no such row.
        """
        if not 0 <= start <= len(self):
            raise ValueError(f"`start` must lie in 0..{len(self)}; got {start}.")
        rows = tf.data.Dataset.range(start, len(self))
        return tf.data.Dataset.zip(rows, self.source.encoded_images(start))

    def fingerprint(self) -> str:
        """The identity of the ids and the files' contents.

        Two equal fingerprints mean the same files in the same order, so what was
        computed from them can be used again. The files are read once.

        Returns:
            SHA-256, as hex.
        """
        return self._fingerprint

    @functools.cached_property
    def _fingerprint(self):
        digest = hashlib.sha256()
        for image_id, state in zip(self.image_ids, self.source.states(), strict=True):
            digest.update(f"{image_id}\0{state}\n".encode())
        return digest.hexdigest()

    def select(self, rows: Iterable[int]) -> "AnnotatedImages":
        """The given rows, in the given order, as a data set of their own.

        Args:
            rows: Row numbers in 0..N-1, each at most once (`np.flatnonzero(mask)`
                turns a mask into rows). For TFDS data they must increase, since its
                records are read as a stream.

        Returns:
            The data set of these rows.

        Raises:
            ValueError: When there are no such rows.
        """
        chosen = np.asarray(list(rows))
        if chosen.size == 0:
            chosen = chosen.astype(np.int64)
        if chosen.ndim != 1 or chosen.dtype.kind not in "iu":
            raise ValueError(f"`rows` must be row numbers; got {chosen.dtype} values.")
        if chosen.size and not (chosen.min() >= 0 and chosen.max() < len(self)):
            raise ValueError(
                f"`rows` must lie in 0..{len(self) - 1}; "
                f"got {chosen.min()}..{chosen.max()}."
            )
        return dataclasses.replace(
            self,
            image_ids=tuple(self.image_ids[row] for row in chosen),
            source=self.source.select(chosen),
            tags=None if self.tags is None else self.tags[chosen],
            captions=None
            if self.captions is None
            else tuple(self.captions[row] for row in chosen),
            known=None if self.known is None else self.known[chosen],
            parts=(),
        )


def _check_unique(values, what):
    seen = set()
    for value in values:
        if value in seen:
            raise ValueError(f"{what} {value!r} occurs twice; remove one of them.")
        seen.add(value)
