r"""`folder`: your own images, with tags, captions or both.

The data directory holds the images (there or below `images/` or `Images/`, subfolders
allowed) and at least one annotation file, UTF-8:

```
tags.csv         image,tags,split          beach.jpg,sea;sand;sky,train
tags.jsonl       {"image": "beach.jpg", "tags": ["sea", "sand"], "split": "train"}
captions.csv     image,caption,split       beach.jpg,A sandy beach .,train
captions.jsonl   {"image": "beach.jpg", "captions": ["A sandy beach ."]}
captions.txt     beach.jpg<TAB>A sandy beach .       or  beach.jpg#0<TAB>...
words.txt        optional: the tag words, one a line; any other tag is an error
```

Tags are separated by semicolons; in a file without any, by commas (in double quotes,
where the file is CSV). A `tags.csv` may have a column a word in place of `tags`, with 1
or 0: `image,sea,sand`.

CSV files have the header line shown, and a `captions.txt` that begins with it is one
(Kaggle's Flickr8k is such a folder). An image with several captions has several lines
in `captions.csv` and `captions.txt`; in JSONL, `"caption"` with one text will do.

`split` may be left out everywhere; where it is given, every image needs one: `train`,
`validation` (or `val`, `dev`) or `test`. Without it an image's name decides, so that a
new image moves no other: SHA-256 of the name as UTF-8, its first four bytes as a
big-endian number, modulo 10; 0 to 7 is training, 8 validation, 9 test. Where that
leaves a split empty (a folder of ten images often has none for validation), and there
are three images or more, it gets the image with the smallest SHA-256 among the splits
that have two or more; the empty splits take turns in the order above.

The words are those of `words.txt`, each on one line, else all in the tags file, sorted.
Images without a line in any of the files are left alone.
"""

import dataclasses
import os

import numpy as np

from annotator.datasets.annotated_images import AnnotatedImages
from annotator.datasets.listing import ListedImage, find_listed_images
from annotator.datasets.own.annotation_files import Line, caption_lines, tag_lines
from annotator.datasets.own.splits import LEAST_IMAGES, hashed_splits
from annotator.datasets.text_files import first_existing, read_words

_SPLITS = {
    "train": "train",
    "validation": "validation",
    "val": "validation",
    "dev": "validation",
    "test": "test",
}
_IMAGE_FOLDERS = ("images", "Images")


@dataclasses.dataclass
class _Annotated:
    where: str  # the first line that names the image
    split: str = ""
    split_where: str = ""
    tags: list[str] = dataclasses.field(default_factory=list)
    captions: list[str] = dataclasses.field(default_factory=list)


def read(
    name: str,
    split: str,
    *,
    data_dir: str,
    cache_dir: str,
    skip_bad_images: bool,
) -> AnnotatedImages:
    """Reads one split; see `registry.load` for the arguments.

    Returns:
        `AnnotatedImages` with tags if there is a tags file, and with captions if
        there is a captions file. The ids are the image names as in the files.

    Raises:
        FileNotFoundError: When there is no annotation file, or an image is missing.
        ValueError: When a line is malformed or has an unknown word or split; names file
            and line.
    """
    del cache_dir
    tags_path = first_existing(data_dir, "tags.csv", "tags.jsonl")
    captions_path = first_existing(
        data_dir, "captions.txt", "captions.csv", "captions.jsonl"
    )
    if not tags_path and not captions_path:
        raise FileNotFoundError(
            f"No tags.csv, tags.jsonl, captions.txt, captions.csv or captions.jsonl in "
            f"{data_dir}; write one (image,tags or image,caption), or pass the right "
            "--data_dir."
        )
    images: dict[str, _Annotated] = {}
    tagged = []
    for line in tag_lines(tags_path):
        _add(images, line).tags.extend(line.texts)
        tagged.append(line)
    for line in caption_lines(captions_path):
        _add(images, line).captions.extend(line.texts)
    hashed = not any(annotated.split for annotated in images.values())
    splits = hashed_splits(images) if hashed else _stated_splits(images)
    words = _words(data_dir, tagged)
    chosen = [image for image in images if splits[image] in split.split("+")]
    if not chosen:
        raise ValueError(
            f"{data_dir}: none of its {len(images)} images is in the split {split!r}. "
            "Say which are: add a column `split` to captions.csv or tags.csv, and a "
            "value of it to each line (captions.txt takes none)"
            + (f"; or add images: {LEAST_IMAGES} suffice." if hashed else ".")
        )
    columns = {word: column for column, word in enumerate(words)}
    matrix = np.zeros((len(chosen), len(words)), bool)
    for row, image in enumerate(chosen):
        matrix[row, [columns[tag] for tag in images[image].tags]] = True
    return find_listed_images(
        name,
        split,
        [ListedImage(image, image, images[image].where) for image in chosen],
        [data_dir, *(os.path.join(data_dir, folder) for folder in _IMAGE_FOLDERS)],
        skip_bad_images,
        words=words,
        tags=matrix if tags_path else None,
        captions=[images[image].captions for image in chosen]
        if captions_path
        else None,
    )


def _add(images: dict[str, _Annotated], line: Line) -> _Annotated:
    """Adds an image, or finds it, and notes its split."""
    where, image, _, split = line
    if not isinstance(image, str) or not image:
        raise ValueError(f"{where}: `image` must be a file name; got {image!r}.")
    annotated = images.setdefault(image, _Annotated(where))
    if split:
        if not isinstance(split, str) or split not in _SPLITS:
            raise ValueError(
                f"{where}: unknown split {split!r}; known: {', '.join(_SPLITS)}."
            )
        if annotated.split not in ("", _SPLITS[split]):
            raise ValueError(
                f"{where} puts {image!r} in {split!r}, but {annotated.split_where} in "
                f"{annotated.split!r}."
            )
        annotated.split, annotated.split_where = _SPLITS[split], where
    return annotated


def _stated_splits(images):
    for image, annotated in images.items():
        if not annotated.split:
            raise ValueError(
                f"{annotated.where}: {image!r} has no split, but others have; give "
                "every image one, or none."
            )
    return {image: annotated.split for image, annotated in images.items()}


def _words(data_dir: str, tagged: list[Line]) -> list[str]:
    path = first_existing(data_dir, "words.txt")
    if path is None:
        return sorted({tag for line in tagged for tag in line.texts})
    words = read_words(path)
    known = set(words)
    for line in tagged:
        for tag in line.texts:
            if tag not in known:
                raise ValueError(
                    f"{line.where}: unknown word {tag!r}; correct it, or add it to "
                    f"{path}."
                )
    return words
