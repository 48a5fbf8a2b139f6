"""Karpathy's splits of Flickr8k, Flickr30k and COCO, in his JSON format.

`dataset_flickr8k.json`, `dataset_flickr30k.json` or `dataset_coco.json` (or
`dataset.json`; Karpathy and Fei-Fei, CVPR 2015) in the data directory, with the
captions, the file names and the splits `train`, `val`, `test` and, for COCO, `restval`:
the 30,504 validation images of 2014 that are neither in his validation nor in his test
split.

The images lie in the data directory, in the folder that the file names (`val2014/`),
or in one of the folders of `flickr`.

Option: `restval=False` leaves COCO's `restval` out of training; by default it is
part of `train`, as in most published results.
"""

import json
import os

from annotator.datasets.annotated_images import AnnotatedImages
from annotator.datasets.listing import (
    IMAGE_FOLDERS,
    ListedImage,
    find_listed_images,
)
from annotator.datasets.text_files import read_json, required_file

_FILES = {
    "flickr8k_karpathy": "dataset_flickr8k.json",
    "flickr30k_karpathy": "dataset_flickr30k.json",
    "coco_karpathy": "dataset_coco.json",
}
_SPLITS = {"train": "train", "validation": "val", "test": "test"}


def read(
    name: str,
    split: str,
    *,
    data_dir: str,
    cache_dir: str,
    skip_bad_images: bool,
    restval: bool = True,
) -> AnnotatedImages:
    """Reads one split; see `registry.load` for the other arguments.

    Args:
        restval: Whether COCO's `restval` is a part of `train`.

    Returns:
        `AnnotatedImages` with the raw captions. The ids are COCO's image numbers, for
        COCO's result format, and for Flickr the file names.

    Raises:
        FileNotFoundError: When the JSON file or a listed image is missing.
        ValueError: When the file is not of that form; names the file and the image.
    """
    del cache_dir
    path = required_file(data_dir, _FILES[name], "dataset.json")
    wanted = {_SPLITS[part] for part in split.split("+")}
    if "train" in wanted and restval:
        wanted.add("restval")
    listed, captions = [], []
    for where, image in _images(path):
        if image["split"] in wanted:
            file = os.path.join(image.get("filepath", ""), image["filename"])
            image_id = str(image.get("cocoid", image["filename"]))
            listed.append(ListedImage(image_id, file, where))
            texts = [sentence["raw"].strip() for sentence in image["sentences"]]
            # What holds no word teaches nothing, and is no reference.
            captions.append([text for text in texts if text])
    return find_listed_images(
        name,
        split,
        listed,
        [os.path.join(data_dir, folder).rstrip("/") for folder in IMAGE_FOLDERS],
        skip_bad_images,
        captions=captions,
    )


def _images(path):
    """Yields `(where, image)`, each image checked."""
    name = os.path.basename(path)
    content = read_json(path)
    if not isinstance(content, dict) or not isinstance(content.get("images"), list):
        raise ValueError(f"{path} must be an object with a list `images`.")
    for number, image in enumerate(content["images"]):
        where = f"{name} images[{number}]"
        match image:
            case {
                "filename": str(),
                "split": "train" | "val" | "test" | "restval",
                "sentences": [*sentences],
            } if all(
                isinstance(sentence, dict) and isinstance(sentence.get("raw"), str)
                for sentence in sentences
            ):
                yield where, image
            case _:
                raise ValueError(
                    f"{where} must have `filename`, `split` (train, val, test or "
                    "restval) and `sentences` with a `raw` text each; it is "
                    f"{json.dumps(image)[:80]}."
                )
