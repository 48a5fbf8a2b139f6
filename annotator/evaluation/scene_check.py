"""Captions of drawn scenes held against the scenes, whatever their wording."""

from collections.abc import Sequence

import numpy as np

from annotator.datasets.shapes.scene import named_items


def share_of_right_captions(
    captions: Sequence[str], references: Sequence[Sequence[str]]
) -> float:
    """How many captions name exactly the objects that are there, with their colors.

    BLEU rewards the frame of a sentence, which all scenes share, and hardly notices a
    wrong color. This looks at nothing else. Relations and backgrounds do not count.

    Args:
        captions: N captions of scenes of the data set `shapes`.
        references: The captions of each that were written with it: each of them names
            all its objects.

    Returns:
        A fraction.
    """
    right = [
        named_items(caption) == named_items(group[0])
        for caption, group in zip(captions, references, strict=True)
    ]
    return float(np.mean(right))


def scene_note(share: float) -> str:
    """A line below a table of captions.

    Args:
        share: As of `share_of_right_captions`.
    """
    return (
        f"\n{100 * share:.1f} % of the captions name exactly the objects of their "
        "scene, with their colors"
    )
