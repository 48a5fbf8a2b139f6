"""Published scores, for the tables of `evaluate.py --compare` (percent)."""

import re

TAG_COLUMNS = ("precision", "recall", "f1", "n_plus")
CAPTION_COLUMNS = ("bleu_1", "bleu_2", "bleu_3", "bleu_4", "meteor")

# "Image annotation based on middle-layer convolution features of deep learning". The
# rows of VGG16 features are of the network's end, its fully connected layers. Those of
# AlexNet and VGG16 are networks that were trained end to end on the data set: the text
# explains them by the lack of training data and offers transfer as the remedy, so they
# read as trained from random weights. "Another paper" is its reference 9, of which it
# tells this row of Corel5k alone.
_TAGGERS = (
    ("MBRM, hand features", "24.00 25.00 24.88 122", "24.00 23.00 23.48 223",
     "18.00 19.00 18.50 209"),
    ("JEC, hand features", "27.00 32.00 29.28 139", "28.00 29.00 28.49 250",
     "22.00 25.00 23.40 224"),
    ("JEC, VGG16 features", "31.00 32.00 32.00 141", "28.00 21.00 24.00 237",
     "26.00 22.00 23.83 234"),
    ("2PKNN, VGG16 features", "33.00 30.00 32.00 160", "38.00 23.00 29.00 261",
     "40.00 23.00 29.20 250"),
    ("deep learning of another paper", "29.28 33.00 31.03 146", None, None),
    ("AlexNet, trained on the data set", "25.80 29.33 27.45 130", None, None),
    ("VGG16, trained on the data set", "0.21 1.92 0.38 5", None, None),
    ("VLAD and mean vectors (the paper)", "26.93 41.43 32.64 161",
     "46.15 32.80 38.35 258", "43.74 33.08 37.67 258"),
)  # fmt: skip

# Deng et al., "Deep image annotation model based on attention feedback mechanism".
_CAPTIONERS = (
    ("Google NIC", "63.0 41.0 27.0 17.0 17.2", "66.3 42.3 27.7 18.3 17.5",
     "66.6 46.1 32.9 24.6 20.3"),
    ("Log-bilinear", "65.6 42.4 27.7 17.7 17.3", "60.0 38.0 25.4 17.1 16.9",
     "70.8 48.9 34.4 24.3 20.0"),
    ("Soft attention", "67.0 44.8 29.9 19.5 18.9", "66.7 43.4 28.8 19.1 18.5",
     "70.7 49.2 34.4 24.3 23.9"),
    ("Hard attention", "67.0 45.7 31.4 21.3 20.3", "66.9 43.9 29.6 19.9 18.5",
     "71.8 50.4 35.7 25.0 23.0"),
    ("BRNN", None, None, "64.2 45.1 30.4 20.3 20.1"),
    ("2 layers, feedback (the paper)", "71.6 48.7 33.8 23.9 20.5",
     "69.2 46.7 31.8 22.6 18.5", "74.1 53.2 43.2 33.1 26.2"),
    ("3 layers, feedback (the paper)", "71.7 49.0 34.6 24.6 21.0",
     "69.7 47.0 32.6 23.6 18.8", "74.8 54.1 43.7 33.7 26.4"),
    ("4 layers, feedback (the paper)", "72.4 49.3 34.9 24.8 21.5",
     "70.3 47.1 33.5 23.8 19.0", "75.4 54.9 44.5 34.6 26.5"),
    ("5 layers, feedback (the paper)", "72.2 49.1 34.7 24.5 21.1",
     "70.0 47.8 33.5 23.4 18.8", "74.2 54.3 44.1 34.0 26.4"),
    ("6 layers, feedback (the paper)", "71.9 49.3 34.3 24.9 21.0",
     "70.2 47.5 33.3 23.4 18.9", "75.0 54.5 43.8 33.8 26.3"),
)  # fmt: skip

_TAG_DATASETS = ("corel5k", "iaprtc12", "espgame")
_CAPTION_DATASETS = ("flickr8k", "flickr30k", "coco")


def tagger_rows(dataset: str) -> list[tuple[str, dict[str, float]]]:
    """Looks up the published scores of taggers.

    Args:
        dataset: Name of a data set, as `--dataset` takes it.

    Returns:
        `(system, {column: percent})` of each tagger; N+ is a count.
    """
    return _rows(_TAGGERS, _TAG_DATASETS, TAG_COLUMNS, dataset)


def captioner_rows(dataset: str) -> list[tuple[str, dict[str, float]]]:
    """Looks up the published scores of captioners.

    Args:
        dataset: Name of a data set, as `--dataset` takes it.

    Returns:
        `(system, {column: percent})` of each captioner.
    """
    return _rows(_CAPTIONERS, _CAPTION_DATASETS, CAPTION_COLUMNS, dataset)


def _rows(table, datasets, columns, dataset):
    # "flickr8k_karpathy" is flickr8k with other lists.
    dataset = re.sub("^tfds:coco_captions(/.*)?$", "coco", dataset)
    dataset = dataset.removesuffix("_karpathy")
    if dataset not in datasets:
        return []
    index = datasets.index(dataset)
    return [
        (system, dict(zip(columns, map(float, scores[index].split()), strict=True)))
        for system, *scores in table
        if scores[index]
    ]
