"""Flickr8k and Flickr30k in the formats they are published in.

Captions, the first of these that is there:

```
Flickr8k.token.txt, results_20130124.token     NAME.jpg#0<TAB>caption
results.csv, results_20130124.csv              NAME.jpg| 0| caption
```

Splits, a list each, with or without `.jpg`:

```
Flickr_8k.trainImages.txt  Flickr_8k.devImages.txt  Flickr_8k.testImages.txt
train.txt                  val.txt                  test.txt
```

For Flickr30k the lists may also be called `Flickr30k.trainImages.txt` or
`flickr30k_train.txt`, and so on. (Hodosh, Young and Hockenmaier, JAIR 2013, published
Flickr8k's split; Flickr30k, Young et al., TACL 2014, came without one, and the common
one of 29,000, 1,014 and 1,000 is Karpathy's: see `karpathy`.)

The images lie in the data directory or in one of `Flicker8k_Dataset` (so spelled),
`Flickr8k_Dataset`, `flickr30k-images`, `flickr30k_images`, `Images` and `images`.
"""

import os
import re

from annotator.datasets.annotated_images import AnnotatedImages
from annotator.datasets.listing import (
    IMAGE_FOLDERS,
    ListedImage,
    find_listed_images,
)
from annotator.datasets.text_files import (
    first_existing,
    numbered_lines,
    required_file,
)

_CAPTION_FILES = {
    "flickr8k": ("Flickr8k.token.txt", "Flickr8k.token", "results.csv"),
    "flickr30k": (
        "results_20130124.token",
        "results_20130124.csv",
        "results.csv",
        "results.token",
        "flickr30k.token.txt",
    ),
}
_LIST_PREFIXES = {
    "flickr8k": ("Flickr_8k.", "Flickr8k."),
    "flickr30k": ("Flickr_30k.", "Flickr30k."),
}
# Our name of a split to the names in the two ways of naming the lists.
_LIST_NAMES = {
    "train": ("train", "train"),
    "validation": ("dev", "val"),
    "test": ("test", "test"),
}
_TOKEN_LINE = re.compile(r"(?P<image>[^\t#]+)#(?P<number>\w+)\s*\t(?P<caption>.*)")
# One line of the circulating Flickr30k file lacks the second bar.
_CSV_LINE = re.compile(r"(?P<image>[^|]+)\|\s*(?P<number>\d+)\s*[|\s](?P<caption>.*)")


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
        `AnnotatedImages` with captions, in the order of the split list; the ids are
        the file names.

    Raises:
        FileNotFoundError: When a published file or a listed image is missing.
        ValueError: When a line is malformed, or a listed image has no caption; names
            the file and the line.
    """
    del cache_dir
    captions = _read_captions(required_file(data_dir, *_CAPTION_FILES[name]))
    listed, chosen = [], []
    for part in split.split("+"):
        for where, line in numbered_lines(_split_list(name, part, data_dir)):
            image = line if line in captions else f"{line}.jpg"
            if image not in captions:
                raise ValueError(
                    f"{where}: {line!r} has no caption; the list and the caption file "
                    f"in {data_dir} must be of one data set."
                )
            listed.append(ListedImage(image, image, where))
            chosen.append(captions[image])
    return find_listed_images(
        name,
        split,
        listed,
        [os.path.join(data_dir, folder).rstrip("/") for folder in IMAGE_FOLDERS],
        skip_bad_images,
        captions=chosen,
    )


def _split_list(name, part, data_dir):
    official, common = _LIST_NAMES[part]
    names = [f"{prefix}{official}Images.txt" for prefix in _LIST_PREFIXES[name]]
    names += [f"{name}_{common}.txt", f"{common}.txt"]
    if name == "flickr30k" and not first_existing(data_dir, *names):
        raise FileNotFoundError(
            f"No {' or '.join(names)} in {data_dir}. Flickr30k was published without a "
            "split: put dataset_flickr30k.json of Karpathy there and say "
            "--dataset=flickr30k_karpathy, or write train.txt, val.txt and test.txt "
            "with the name of an image on each line."
        )
    return required_file(data_dir, *names)


def _read_captions(path):
    """`{image: [caption, ...]}` of a token file or a `|`-separated CSV file."""
    is_csv = path.endswith(".csv")
    pattern = _CSV_LINE if is_csv else _TOKEN_LINE
    captions: dict[str, list[str]] = {}
    for number, (where, line) in enumerate(numbered_lines(path)):
        if is_csv and number == 0 and line.replace(" ", "").startswith("image_name|"):
            continue
        match = pattern.fullmatch(line)
        if not match or not match["caption"].strip():
            form = "NAME.jpg| 0| caption" if is_csv else "NAME.jpg#0<TAB>caption"
            raise ValueError(
                f"{where}: expected {form}; got {line[:80]!r}. Correct the line or "
                "remove it."
            )
        captions.setdefault(match["image"].strip(), []).append(match["caption"].strip())
    return captions
