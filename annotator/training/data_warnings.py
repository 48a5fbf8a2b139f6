"""Warnings about data that are too few or too much alike to learn or to choose from."""

import math
from collections.abc import Sequence

import numpy as np

# The 95 % interval of BLEU-4 is about 1.3 percent to each side on 1,000 images
# (Flickr8k), so 4 on 100 and 6 on 50: below, epochs differ by less than by chance. And
# the commonest 4-gram there, in the captions of 8 % of the images, is in none of 100
# images once in 3,000 times, in none of 50 once in 60, in none of 4 in 72 of 100.
_FEW_IMAGES = 50
_ENOUGH_IMAGES = 100
_NEARLY_ALL = 0.9
_SHOWN = 5


def warn_of_few_validation_images(images: int) -> None:
    """Says that validation scores will not tell epochs apart, where that is so.

    Args:
        images: Number of validation images.
    """
    if images < _FEW_IMAGES:
        print(
            f"warning: validation has {_images(images)}: at least {_ENOUGH_IMAGES} "
            "tell epochs apart (--train_split=train+validation does without them)"
        )


def warn_of_no_match(epoch: int, images: int) -> None:
    """Says that BLEU-4 cannot judge an epoch.

    Args:
        epoch: Its number, from 0.
        images: Number of validation images.
    """
    print(
        f"warning: epoch {epoch + 1}: no caption of {_images(images)} shares four "
        "words in a row with a reference, so BLEU-4 counts as 0 and CIDEr, or else the "
        f"loss, picks the weights: at least {_ENOUGH_IMAGES} validation images, or "
        "more to learn from, help"
    )


def warn_of_common_tags(tags: np.ndarray, words: Sequence[str]) -> None:
    """Says which tags nearly every training image carries, if there are such.

    Args:
        tags: bool `[N, W]`, where an image carries a word.
        words: The W words.
    """
    carried = np.count_nonzero(tags, axis=0)
    common = np.flatnonzero(carried > _NEARLY_ALL * len(tags))
    if not len(common):
        return
    shown = ", ".join(f"{words[i]} ({carried[i]})" for i in common[:_SHOWN])
    more = f" and {len(common) - _SHOWN} more" if len(common) > _SHOWN else ""
    lacking = math.ceil(carried.max() / _NEARLY_ALL) - len(tags)
    print(
        f"warning: nearly all of {_images(len(tags))} to learn from carry "
        f"{shown}{more}: what nothing lacks cannot be learned; at least "
        f"{_images(lacking)} more without it would help"
    )


def _images(count):
    return f"{count:,} image" + ("s" if count != 1 else "")
