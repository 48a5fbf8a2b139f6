"""The registry of data sets: a name and a split to `AnnotatedImages`."""

import dataclasses
import difflib
import importlib
import inspect
import os
from typing import Any

from annotator.datasets.annotated_images import AnnotatedImages
from annotator.datasets.joining.caption_tags import tag_by_captions
from annotator.datasets.joining.joined import join
from annotator.datasets.joining.joined_sets import join_sets

_DATA_VARIABLE = "ANNOTATOR_DATA"
_CACHE_VARIABLE = "ANNOTATOR_CACHE"
# What other programs call splits.
_OTHER_NAMES = {
    **dict.fromkeys(("val", "valid", "dev", "eval"), "validation"),
    **dict.fromkeys(("training", "trainset"), "train"),
    **dict.fromkeys(("testing", "testset"), "test"),
}
_TRAIN_VALIDATION_TEST = ("train", "validation", "train+validation", "test")


@dataclasses.dataclass(frozen=True)
class _Entry:
    module: str  # its `read` is called; imported when the data set is asked for
    splits: tuple[str, ...] = _TRAIN_VALIDATION_TEST
    directory: str | None = None  # below $ANNOTATOR_DATA; None: drawn, not read


_ENTRIES = {
    "shapes": _Entry("shapes.reader", ("train", "validation", "test")),
    "corel5k": _Entry("tag_lists", directory="corel5k"),
    "espgame": _Entry("tag_lists", directory="espgame"),
    "iaprtc12": _Entry("tag_lists", directory="iaprtc12"),
    "flickr8k": _Entry("flickr", directory="flickr8k"),
    "flickr30k": _Entry("flickr", directory="flickr30k"),
    "flickr8k_karpathy": _Entry("karpathy", directory="flickr8k"),
    "flickr30k_karpathy": _Entry("karpathy", directory="flickr30k"),
    "coco_karpathy": _Entry("karpathy", directory="coco"),
    "coco": _Entry("coco", ("train", "validation"), directory="coco"),
    "folder": _Entry("own.folder", directory="folder"),
    "keyworded": _Entry("own.keyworded", directory="keyworded"),
}


def load(
    name: str,
    split: str,
    data_dir: str | None = None,
    cache_dir: str | None = None,
    skip_bad_images: bool = False,
    caption_tags: int = 0,
    **options: Any,
) -> AnnotatedImages:
    """Loads one split of a data set: its image list and its annotations.

    Args:
        name: One of `names()`, or `tfds:NAME` for any TFDS data set with images and
            labels, objects or captions (`tfds:coco_captions`, `tfds:voc/2007`); or
            several names joined by `+`, whose images know the words of their own set.
        split: `train`, `validation` or `test`, as far as the data set has them, or
            several of them joined by `+`. For `tfds:NAME`, a TFDS split
            (`train[:90%]`).
        data_dir: Where the data set lies. Default: `$ANNOTATOR_DATA/NAME`; for
            `tfds:NAME`, TFDS's own default. Not used by `shapes`. Of several data sets
            it is the folder that holds theirs, by default `$ANNOTATOR_DATA`.
        cache_dir: Where data sets that are made here (`shapes`) are kept; by default
            `default_cache_dir()`.
        skip_bad_images: Leave out listed images that are missing or empty, and say
            which in `skipped`, instead of failing.
        caption_tags: Training images that a content word of the captions must be on to
            become a tag, where a data set has captions and no tags; 0 for no such tags.
        **options: What the reader of this data set takes besides: see the docstring
            of its module.

    Returns:
        The split as `AnnotatedImages`.

    Raises:
        ValueError: When there is no such data set, split or option, or a file is
            malformed; names its line.
        FileNotFoundError: When the data directory, a published file or a listed image
            is missing.
    """
    if "+" in name:
        parts = _load_sets(
            name.split("+"),
            split,
            data_dir,
            caption_tags,
            cache_dir=cache_dir,
            skip_bad_images=skip_bad_images,
            **options,
        )
        return join_sets(name, split, parts)
    annotated = _load_one(name, split, data_dir, cache_dir, skip_bad_images, options)
    if caption_tags and annotated.tags is None:
        learned = annotated
        if split != "train":
            learned = _load_one(name, "train", data_dir, cache_dir, True, options)
        annotated = tag_by_captions(annotated, learned, caption_tags)
    return annotated


def _load_sets(names, split, data_dir, caption_tags, **arguments):
    """A split of each of several data sets."""
    if len(set(names)) < len(names):
        raise ValueError(f"A data set is named twice: {'+'.join(names)}.")
    folders = {
        name: os.path.join(data_dir, _directory(name)) if data_dir else None
        for name in names
    }

    def load_set(name, split):
        return load(name, split, folders[name], **arguments)

    parts = {name: load_set(name, split) for name in names}
    known_words = [word for part in parts.values() for word in part.words]
    for name, part in parts.items():
        if caption_tags and part.tags is None:
            learned = part if split == "train" else load_set(name, "train")
            parts[name] = tag_by_captions(part, learned, caption_tags, known_words)
    return list(parts.values())


def _directory(name):
    """The folder of a data set in the folder of all."""
    return (name in _ENTRIES and _ENTRIES[name].directory) or name


def _load_one(name, split, data_dir, cache_dir, skip_bad_images, options):
    arguments = {
        "data_dir": data_dir,
        "cache_dir": cache_dir or default_cache_dir(),
        "skip_bad_images": skip_bad_images,
    }
    if name.startswith("tfds:"):
        return _read("tfds.reader", name, split, options, arguments)
    if name not in _ENTRIES:
        close = difflib.get_close_matches(name, names(), n=1)
        hint = f"did you mean {close[0]!r}? Known" if close else "known"
        raise ValueError(
            f"Unknown data set {name!r}; {hint}: {', '.join(names())}, and tfds:NAME "
            "for any TFDS data set."
        )
    entry = _ENTRIES[name]
    # Those that its reader can join itself stand among its splits.
    parts = [split] if split in entry.splits else split.split("+")
    if not set(parts) <= set(entry.splits) or len(set(parts)) < len(parts):
        raise ValueError(
            f"Data set {name!r} has no split {split!r}; "
            f"{_split_hint(parts, entry.splits)}: {', '.join(entry.splits)}, and "
            "several of these joined by +."
        )
    if entry.directory is not None:
        arguments["data_dir"] = _data_dir(name, entry.directory, data_dir)
    read = [_read(entry.module, name, part, options, arguments) for part in parts]
    return read[0] if len(read) == 1 else join(split, read)


def _split_hint(parts, splits):
    """What was meant, where one of the parts has another name elsewhere."""
    meant = [_OTHER_NAMES.get(part.lower(), part) for part in parts]
    for i, part in enumerate(meant):
        if part not in splits:
            meant[i] = next(iter(difflib.get_close_matches(part, splits, n=1)), "")
    if not all(meant) or meant == parts or len(set(meant)) < len(meant):
        return "known"
    return f"did you mean {'+'.join(meant)!r}? Known"


def default_cache_dir() -> str:
    """`$ANNOTATOR_CACHE`, or `~/.cache/annotator`."""
    return os.path.expanduser(os.environ.get(_CACHE_VARIABLE) or "~/.cache/annotator")


def names() -> list[str]:
    """The names `load` knows, besides `tfds:NAME`."""
    return list(_ENTRIES)


def _read(module, name, split, options, arguments):
    # Imported here, so that reading Corel5k does not import TFDS.
    read = importlib.import_module(f"annotator.datasets.{module}").read
    known = set(inspect.signature(read).parameters) - {"name", "split", *arguments}
    for option in sorted(set(options) - known):
        raise ValueError(
            f"Data set {name!r} has no option {option!r}; known: "
            f"{', '.join(sorted(known)) or 'none'}."
        )
    return read(name, split, **arguments, **options)


def _data_dir(name, directory, data_dir):
    root = os.environ.get(_DATA_VARIABLE)
    if data_dir is None and not root:
        raise FileNotFoundError(
            f"Where is the data set {name!r}? Pass --data_dir, or set "
            f"${_DATA_VARIABLE} to the folder that holds {directory}/."
        )
    path = os.path.expanduser(data_dir or os.path.join(root or "", directory))
    if not os.path.isdir(path):
        raise FileNotFoundError(
            f"No data directory {path} for {name!r}; pass --data_dir, or set "
            f"${_DATA_VARIABLE} so that ${_DATA_VARIABLE}/{directory} exists."
        )
    return path
