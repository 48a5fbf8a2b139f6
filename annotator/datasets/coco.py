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

from annotator.datasets.annotated_images import AnnotatedImages
from annotator.datasets.listing import ListedImage, find_listed_images
from annotator.datasets.text_files import first_existing, read_json, required_file

_EDITIONS = (2017, 2014)


def read(
    name: str,
    split: str,
    *,
    data_dir: str,
    cache_dir: str,
    skip_bad_images: bool,
    year: int | None = None,
) -> AnnotatedImages:
    """Reads one split; see `registry.load` for the other arguments.

    Args:
        year: Edition to read, 2014 or 2017; `None` for the newest that is there.

    Returns:
        `AnnotatedImages` with captions, in the file's order; the ids are COCO's image
        numbers.

    Raises:
        FileNotFoundError: When the JSON file or a listed image is missing.
        ValueError: When the file is not of that form, an image's id occurs twice, or a
            caption's image is not in it.
    """
    del cache_dir
    path = _caption_file(data_dir, split, (year,) if year else _EDITIONS)
    file_name = os.path.basename(path)
    folder = file_name.removeprefix("captions_").removesuffix(".json")
    content = _content(path)
    listed, captions = _listed_images(content["images"], file_name)
    _add_captions(captions, content["annotations"], file_name)
    return find_listed_images(
        name,
        split,
        listed,
        [
            os.path.join(data_dir, folder),
            os.path.join(data_dir, "images", folder),
            os.path.join(data_dir, "images"),
            data_dir,
        ],
        skip_bad_images,
        captions=list(captions.values()),
    )


def _caption_file(data_dir, split, editions):
    part = "train" if split == "train" else "val"
    # The one whose training captions are there, so that all splits are of one.
    there = [
        edition
        for edition in editions
        if first_existing(data_dir, *_file_names("train", edition))
    ]
    names = [
        name for edition in there or editions for name in _file_names(part, edition)
    ]
    return required_file(data_dir, *names)


def _file_names(part, edition):
    name = f"captions_{part}{edition}.json"
    return name, os.path.join("annotations", name)


def _listed_images(images, file_name):
    """The list of the images, and a dict from each one's id to no captions yet."""
    listed: list[ListedImage] = []
    captions: dict[int, list[str]] = {}
    for number, image in enumerate(images):
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
                listed.append(ListedImage(str(image_id), file, where))
            case _:
                raise ValueError(
                    f"{where} must have a number `id` and a `file_name`; it is "
                    f"{json.dumps(image)[:80]}."
                )
    return listed, captions


def _add_captions(captions, annotations, file_name):
    """Adds each image's captions to those of its id."""
    for number, annotation in enumerate(annotations):
        where = f"{file_name} annotations[{number}]"
        match annotation:
            case {"image_id": int(image_id), "caption": str(caption)}:
                if image_id not in captions:
                    raise ValueError(
                        f"{where} is of image {image_id}, which is not among `images`."
                    )
                # What holds no word teaches nothing, and is no reference.
                if caption.strip():
                    captions[image_id].append(caption.strip())
            case _:
                raise ValueError(
                    f"{where} must have a number `image_id` and a `caption`; it is "
                    f"{json.dumps(annotation)[:80]}."
                )


def _content(path):
    content = read_json(path)
    if not isinstance(content, dict) or not all(
        isinstance(content.get(key), list) for key in ("images", "annotations")
    ):
        raise ValueError(
            f"{path} must be an object with the lists `images` and `annotations`."
        )
    return content
