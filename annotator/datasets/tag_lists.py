"""Corel5k, ESP Game and IAPR TC-12 in the formats they are published in.

The layout is the one of Guillaumin et al. (TagProp, ICCV 2009), with `NAME` one of
`corel5k`, `espgame`, `iaprtc12`:

```
NAME_train_list.txt  NAME_test_list.txt      an image a line: 1000/1003
NAME_dictionary.txt or NAME_words.txt        a word a line
NAME_train_annot.EXT NAME_test_annot.EXT     rows as in the lists, columns as the words
1000/1003.jpeg ...                           here, or below images/
```

EXT is `mat`, `hvecs` or `txt`: see `annotation_matrix`. In place of a list and a
matrix there may be `NAME_train.json` and `NAME_test.json`, each
`[{"image": "1000/1003", "tags": ["sky", "jet"]}, ...]`; the dictionary may then be
left out, and the words are those of the training file, sorted.

ESP Game's images may also lie as their archive unpacks, in `ESP-ImageSet/images/`,
without the folders that the lists name.

None of the three has an official validation split: it is every ninth row of the
training list (`row % 9 == 8`). `train` is the rest, `train+validation` all of it.

Option: `image_dir`, the folder that the lists' entries are relative to.
"""

import json
import os

import numpy as np

from annotator.datasets.annotated_images import AnnotatedImages
from annotator.datasets.annotation_matrix import EXTENSIONS, read_annotation_matrix
from annotator.datasets.image_files import ImageDirectory
from annotator.datasets.listing import (
    ListedImage,
    find_listed_images,
    rows_of_split,
)
from annotator.datasets.text_files import (
    first_existing,
    numbered_lines,
    read_json,
    read_words,
    required_file,
)


def read(
    name: str,
    split: str,
    *,
    data_dir: str,
    cache_dir: str,
    skip_bad_images: bool,
    image_dir: str | None = None,
) -> AnnotatedImages:
    """Reads one split; see `registry.load` for the other arguments.

    Args:
        image_dir: Folder that the lists' entries are relative to; `None` for the data
            directory and `images` in it.

    Returns:
        `AnnotatedImages` with tags; the image ids are the lists' entries.

    Raises:
        FileNotFoundError: When a published file or a listed image is missing.
        ValueError: When a file is malformed, the list and the matrix differ in length,
            or a tag is not in the dictionary.
    """
    del cache_dir
    part = "test" if split == "test" else "train"
    has_list = first_existing(data_dir, f"{name}_{part}_list.txt")
    if not has_list and first_existing(data_dir, f"{name}_{part}.json"):
        listed, words, tags = _read_json(name, part, data_dir)
    else:
        listed, words, tags = _read_list_and_matrix(name, part, data_dir)
    if split == "test":
        rows = np.arange(len(listed))
    else:
        rows = rows_of_split(len(listed), split)
    directories = [data_dir, os.path.join(data_dir, "images")]
    if name == "espgame":
        directories.append(os.path.join(data_dir, "ESP-ImageSet", "images"))
    if image_dir:
        directories = [os.path.expanduser(image_dir)]
    if name == "espgame":
        listed = _as_unpacked(listed, ImageDirectory(*directories))
    return find_listed_images(
        name,
        split,
        [listed[row] for row in rows],
        directories,
        skip_bad_images,
        words=words,
        tags=tags[rows],
    )


def _as_unpacked(listed, folder):
    """The list without its folders, if only so the first image is found."""
    if not listed or folder.find(listed[0].file):
        return listed
    without_folders = [
        image._replace(file=os.path.basename(image.file)) for image in listed
    ]
    return without_folders if folder.find(without_folders[0].file) else listed


def _read_list_and_matrix(name, part, data_dir):
    list_path = required_file(
        data_dir, f"{name}_{part}_list.txt", f"{name}_{part}.json"
    )
    listed = [
        ListedImage(line, line, where) for where, line in numbered_lines(list_path)
    ]
    words = read_words(
        required_file(data_dir, f"{name}_dictionary.txt", f"{name}_words.txt")
    )
    matrix_path = required_file(
        data_dir, *(f"{name}_{part}_annot{extension}" for extension in EXTENSIONS)
    )
    tags = read_annotation_matrix(matrix_path)
    if tags.shape != (len(listed), len(words)):
        raise ValueError(
            f"{matrix_path} has {tags.shape[0]} rows and {tags.shape[1]} columns, but "
            f"{os.path.basename(list_path)} lists {len(listed)} images and the "
            f"dictionary {len(words)} words; the three must be of one edition."
        )
    return listed, words, tags


def _read_json(name, part, data_dir):
    items = _read_items(required_file(data_dir, f"{name}_{part}.json"))
    dictionary = first_existing(data_dir, f"{name}_dictionary.txt", f"{name}_words.txt")
    if dictionary:
        words = read_words(dictionary)
    else:
        training = _read_items(required_file(data_dir, f"{name}_train.json"))
        words = sorted({tag for _, _, tags in training for tag in tags})
    columns = {word: column for column, word in enumerate(words)}
    tags = np.zeros((len(items), len(words)), bool)
    for row, (_, where, row_tags) in enumerate(items):
        for tag in row_tags:
            if tag not in columns:
                raise ValueError(
                    f"{where}: unknown word {tag!r}; correct it, or list all words in "
                    f"{name}_dictionary.txt."
                )
            tags[row, columns[tag]] = True
    return [ListedImage(image, image, where) for image, where, _ in items], words, tags


def _read_items(path):
    """`[(image, where, tags)]` of a JSON list of objects."""
    name = os.path.basename(path)
    items = read_json(path)
    if not isinstance(items, list):
        raise ValueError(f"{path} must hold a list of objects.")
    checked = []
    for number, item in enumerate(items, start=1):
        where = f"{name} item {number}"
        match item:
            case {"image": str(image), "tags": [*tags]} if all(
                isinstance(tag, str) and tag.strip() for tag in tags
            ):
                checked.append((image, where, [tag.strip() for tag in tags]))
            case _:
                raise ValueError(
                    f"{where} is {json.dumps(item)[:80]}; it must look like "
                    '{"image": "1000/1003", "tags": ["sky", "jet"]}.'
                )
    return checked
