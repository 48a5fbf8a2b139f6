"""Several splits of a data set joined to one, such as `train+test`."""

import functools
from collections.abc import Iterator, Sequence

import numpy as np
import tensorflow as tf

from annotator.datasets.annotated_images import AnnotatedImages, ImageSource


class JoinedImages:
    """The bytes of the images of several sources, one source after the other.

    Args:
        sources: The sources, one at least.
    """

    def __init__(self, sources: Sequence[ImageSource]) -> None:
        self.sources = tuple(sources)
        self._firsts = np.cumsum([0, *map(len, self.sources)])[:-1]

    def __len__(self) -> int:
        return sum(map(len, self.sources))

    def encoded_images(self, start: int = 0) -> tf.data.Dataset:
        """Streams the images' bytes, undecoded.

        Args:
            start: The first row wanted.

        Returns:
            A `tf.data.Dataset` of scalar strings, as of the sources.
        """
        streams = [
            source.encoded_images(min(max(start - int(first), 0), len(source)))
            for source, first in zip(self.sources, self._firsts, strict=True)
        ]
        return functools.reduce(lambda one, other: one.concatenate(other), streams)

    def read(self, row: int) -> bytes:
        """The bytes of one image.

        Args:
            row: Its row.

        Returns:
            The bytes.

        Raises:
            OSError: When it cannot be read; says why.
        """
        source = self._source_of(row)
        return self.sources[source].read(row - int(self._firsts[source]))

    def states(self) -> Iterator[str]:
        """The state of each image, which changes when its content does.

        Yields:
            What its source tells.
        """
        for source in self.sources:
            yield from source.states()

    def select(self, rows: np.ndarray) -> "JoinedImages":
        """The images of the given rows, in the order that their sources allow."""
        rows = np.asarray(rows, np.int64)
        changes = np.flatnonzero(np.diff(self._source_of(rows))) + 1
        selected = []
        for some in np.split(rows, changes):  # rows of one source each
            source = self._source_of(some[0]) if len(some) else 0
            selected.append(self.sources[source].select(some - self._firsts[source]))
        return JoinedImages(selected)

    def _source_of(self, rows):
        """Numbers of the sources that rows lie in."""
        return np.searchsorted(self._firsts, rows, side="right") - 1


def join(split: str, parts: Sequence[AnnotatedImages]) -> AnnotatedImages:
    """Joins splits of a data set, one after the other.

    Args:
        split: Name of the result.
        parts: The splits, one at least; they have tags and captions alike.

    Returns:
        `AnnotatedImages` with the words of all parts, those of the first before those
        that it lacks.

    Raises:
        ValueError: When an image is in two of them.
    """
    words = tuple(dict.fromkeys(word for part in parts for word in part.words))
    image_ids = tuple(image_id for part in parts for image_id in part.image_ids)
    tags = None
    if all(part.tags is not None for part in parts):
        tags = np.zeros((len(image_ids), len(words)), bool)
        column = {word: number for number, word in enumerate(words)}
        row = 0
        for part in parts:
            columns = [column[word] for word in part.words]
            tags[row : row + len(part), columns] = part.tags
            row += len(part)
    captions = None
    if all(part.captions is not None for part in parts):
        captions = tuple(texts for part in parts for texts in part.captions or ())
    return AnnotatedImages(
        name=parts[0].name,
        split=split,
        image_ids=image_ids,
        source=JoinedImages([part.source for part in parts]),
        words=words,
        tags=tags,
        captions=captions,
        skipped=tuple(image for part in parts for image in part.skipped),
        parts=tuple(parts),
    )
