"""Several data sets joined to one, whose images know the words of their own set."""

from collections.abc import Sequence

import numpy as np

from annotator.datasets.annotated_images import AnnotatedImages
from annotator.datasets.joining.joined import JoinedImages


def join_sets(
    name: str, split: str, parts: Sequence[AnnotatedImages]
) -> AnnotatedImages:
    """Joins splits of several data sets, one after the other.

    An image of one set was never asked for the words that only another set has: that it
    lacks such a tag says nothing. `known` keeps apart what it lacks and what nobody
    looked for.

    Args:
        name: Name of the result.
        split: Name of the split.
        parts: The splits, one a data set.

    Returns:
        `AnnotatedImages` with the words of all sets, those of the first before those
        that it lacks, and the ids of the images behind the names of their sets. It has
        captions if all sets have, and tags if all have.
    """
    words = tuple(dict.fromkeys(word for part in parts for word in part.words))
    count = sum(map(len, parts))
    tags = known = None
    if all(part.tags is not None for part in parts):
        tags = np.zeros((count, len(words)), bool)
        known = np.zeros((count, len(words)), bool)
        column = {word: number for number, word in enumerate(words)}
        row = 0
        for part in parts:
            columns = [column[word] for word in part.words]
            tags[row : row + len(part), columns] = part.tags
            known[row : row + len(part), columns] = True
            row += len(part)
    captions = None
    if all(part.captions is not None for part in parts):
        captions = tuple(texts for part in parts for texts in part.captions or ())
    return AnnotatedImages(
        name=name,
        split=split,
        image_ids=tuple(
            f"{p.name}/{image_id}" for p in parts for image_id in p.image_ids
        ),
        source=JoinedImages([part.source for part in parts]),
        words=words if tags is not None else (),
        tags=tags,
        captions=captions,
        skipped=tuple(
            (f"{part.name}/{image_id}", reason)
            for part in parts
            for image_id, reason in part.skipped
        ),
        known=known,
        parts=tuple(parts),
    )
