"""COCO's captions in their own annotation format.

`captions_train2017.json` and `captions_val2017.json` (or of 2014) in the data directory
or below `annotations/`, and the images in `train2017/` and `val2017/`, `images/` or the
data directory itself. (Lin et al., ECCV 2014; Chen et al., arXiv:1504.00325.)

The captions of COCO's test images are not public, so there is no test split; the
customary one is Karpathy's: `coco_karpathy`.

Where both editions lie, that of 2017 is read; the option `year=2014` reads the other.
"""

import json
import os

from annotator.datasets.listing import (
    Listed,
    annotated_images,
    first_existing,
    read_json,
    required_file,
)

_EDITIONS = (2017, 2014)


def read(name, split, *, data_dir, cache_dir, skip_bad_images, year=None):
    """Reads one split; see `registry.load` for the arguments.

    Returns:
        `AnnotatedImages` with captions, in the file's order; the ids are COCO's image
        numbers.

    Raises:
        FileNotFoundError: The JSON file or a listed image is missing.
        ValueError: The file is not of that form, an image's id occurs twice, or a
            caption's image is not in it.
    """
    del cache_dir
    part = "train" if split == "train" else "val"
    editions = [year] if year else _EDITIONS
    # The one whose training captions are there, so that all splits are of one.
    there = [e for e in editions if first_existing(data_dir, *_places("train", e))]
    path = required_file(
        data_dir, *(name for e in there or editions for name in _places(part, e))
    )
    file_name = os.path.basename(path)
    folder = file_name.removeprefix("captions_").removesuffix(".json")
    content = _content(path)
    captions = {}
    listed = []
    for number, image in enumerate(content["images"]):
        where = f"{file_name} images[{number}]"
        match image:
            case {"id": int(image_id), "file_name": str(file)}:
                if image_id in captions:
                    raise ValueError(
                        f"{where} has the id {image_id} of an image before it; ids "
                        "must differ, since captions name their image by them. Remove "
                        "one of the two, or download the file anew."
                    )
                captions[image_id] = []
                listed.append(Listed(str(image_id), file, where))
            case _:
                raise ValueError(
                    f"{where} must have a number `id` and a `file_name`; it is "
                    f"{json.dumps(image)[:80]}."
                )
    for number, annotation in enumerate(content["annotations"]):
        where = f"{file_name} annotations[{number}]"
        match annotation:
            case {"image_id": int(image_id), "caption": str(caption)}:
                if image_id not in captions:
                    raise ValueError(
                        f"{where} is of image {image_id}, which is not among `images`."
                    )
                # What holds no word teaches nothing, and is no reference.
                captions[image_id] += [caption.strip()] if caption.strip() else []
            case _:
                raise ValueError(
                    f"{where} must have a number `image_id` and a `caption`; it is "
                    f"{json.dumps(annotation)[:80]}."
                )
    return annotated_images(
        name,
        split,
        listed,
        [os.path.join(data_dir, inner) for inner in (folder, f"images/{folder}")]
        + [os.path.join(data_dir, "images"), data_dir],
        skip_bad_images,
        captions=list(captions.values()),
    )


def _places(part, edition):
    name = f"captions_{part}{edition}.json"
    return name, os.path.join("annotations", name)


def _content(path):
    content = read_json(path)
    if not isinstance(content, dict) or not all(
        isinstance(content.get(key), list) for key in ("images", "annotations")
    ):
        raise ValueError(
            f"{path} must be an object with the lists `images` and `annotations`."
        )
    return content
