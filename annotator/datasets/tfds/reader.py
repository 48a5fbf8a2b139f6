"""TFDS data sets with images and labels, objects or captions: `tfds:NAME`.

The split is a TFDS split, `train+validation` and `train[:90%]` among them; `data_dir`
is TFDS's own. The data set is downloaded and prepared when it is not yet.

A data set without a split `validation` gets one: its `val` if it has that, else the
last tenth of its training examples, `train[90%:]`; `train` is then the rest of them,
`train[:90%]`, and `train+validation` all.

What is read:

- the image: `image`, or the only image feature;
- the id: `image/id`, `image_id`, `id`, `image/filename`, `file_name` or `filename`,
  else (or where ids repeat) `SPLIT-NUMBER`;
- tags: the class labels `labels`, `label` or `objects/label`, the first there is; a
  negative label means none;
- captions: `captions/text`, `captions` or `caption`.

Options: `tags_feature` and `captions_feature` name others, `/`-separated.
"""

import numpy as np
import tensorflow_datasets as tfds

from annotator.datasets.annotated_images import AnnotatedImages
from annotator.datasets.tfds.images import TfdsImages, read_in_order

_ID_FEATURES = ("image/id", "image_id", "id", "image/filename", "file_name", "filename")
_TAG_FEATURES = ("labels", "label", "objects/label")
_CAPTION_FEATURES = ("captions/text", "captions", "caption")
_REMEDY = (
    "To train on it, write its images and a tags.csv or captions.csv into a folder and "
    "pass --dataset=folder. (In Python, `annotator.datasets.load` takes the names of "
    "other features as tags_feature and captions_feature.)"
)


def read(
    name: str,
    split: str,
    *,
    data_dir: str | None,
    cache_dir: str,
    skip_bad_images: bool,
    tags_feature: str | None = None,
    captions_feature: str | None = None,
) -> AnnotatedImages:
    """Reads one split of `tfds:NAME`; see `registry.load` for the other arguments.

    Args:
        tags_feature: Path of the feature with the tags; `None`: found by name.
        captions_feature: Path of the feature with the captions; likewise.

    Returns:
        `AnnotatedImages` with what the data set has of tags and captions.

    Raises:
        ValueError: When TFDS knows no such data set or split, or no feature fits.
    """
    del cache_dir, skip_bad_images  # stored records cannot be missing
    try:
        builder = tfds.builder(name.removeprefix("tfds:"), data_dir=data_dir)
    except tfds.core.DatasetNotFoundError as error:
        raise ValueError(
            f"{name!r}: TFDS knows no data set of that name; see "
            "tfds.list_builders(), or pass the --data_dir it was prepared in. "
            f"({error})"
        ) from error
    return read_builder(builder, name, split, tags_feature, captions_feature)


def read_builder(
    builder: tfds.core.DatasetBuilder,
    name: str,
    split: str,
    tags_feature: str | None = None,
    captions_feature: str | None = None,
) -> AnnotatedImages:
    """Prepares the data set of a TFDS builder if need be, and reads one split.

    Args:
        builder: The TFDS builder.
        name: Name of the result.
        split: A TFDS split, or `"validation"` (see above).
        tags_feature: Path of the feature with the tags; `None`: found by name.
        captions_feature: Path of the feature with the captions; likewise.

    Returns:
        `AnnotatedImages` with what the data set has of tags and captions.

    Raises:
        ValueError: When there is no such split, or no feature fits.
    """
    if not builder.is_prepared():
        builder.download_and_prepare()
    if builder.info.file_format is tfds.core.FileFormat.ARRAY_RECORD:
        raise ValueError(
            f"{name!r} is stored as array_record in {builder.data_dir}, which "
            "TensorFlow does not stream; prepare it in another --data_dir with TFDS's "
            "default, tfrecord."
        )
    tfds_split = _tfds_split(split, builder.info.splits)
    try:
        builder.info.splits[tfds_split]
    except (KeyError, ValueError) as error:
        raise ValueError(
            f"Data set {name!r} has no split {split!r}; known: "
            f"{', '.join(sorted(builder.info.splits))}, and slices such as train[:90%]."
        ) from error
    features = builder.info.features
    image_path = _image_feature(features, name)
    id_path = _find(features, _ID_FEATURES, None, name)
    tags_path = _find(features, _TAG_FEATURES, tags_feature, name)
    captions_path = _find(features, _CAPTION_FEATURES, captions_feature, name)
    if not tags_path and not captions_path:
        raise ValueError(
            f"{name!r} has neither tags ({', '.join(_TAG_FEATURES)}) nor captions "
            f"({', '.join(_CAPTION_FEATURES)}) among its features "
            f"{', '.join(features)}. {_REMEDY}"
        )
    words = _words(features, tags_path, name) if tags_path else ()
    paths = [path for path in (id_path, tags_path, captions_path) if path]
    dataset = read_in_order(builder, tfds_split)
    dataset = dataset.map(
        lambda example: {path: _value(example, path) for path in paths}
    )
    examples = list(dataset.as_numpy_iterator())
    return AnnotatedImages(
        name=name,
        split=split,
        image_ids=_ids(examples, id_path, split),
        source=TfdsImages(builder, tfds_split, image_path),
        words=words,
        tags=_tags(examples, tags_path, len(words)) if tags_path else None,
        captions=_captions(examples, captions_path) if captions_path else None,
    )


def _tfds_split(split, known):
    """A split as TFDS calls it, given those it knows."""
    if "validation" in known:
        return split
    if "val" in known:
        tfds_names = {"validation": "val"}
    else:
        tfds_names = {"train": "train[:90%]", "validation": "train[90%:]"}
    return "+".join(tfds_names.get(part, part) for part in split.split("+"))


def _image_feature(features, name):
    images = [
        path
        for path, feature in features.items()
        if isinstance(feature, tfds.features.Image)
    ]
    if "image" in images:
        return "image"
    if len(images) != 1:
        raise ValueError(
            f"{name!r} must have an image feature, `image` or the only one; it has "
            f"{', '.join(images) or 'none'}. {_REMEDY}"
        )
    return images[0]


def _find(features, candidates, asked, name):
    """The first of the candidate paths that exists, or the one asked for."""
    for path in [asked] if asked else candidates:
        if _leaf(features, path) is not None:
            return path
    if asked:
        raise ValueError(
            f"{name!r} has no feature {asked!r}; it has {', '.join(features)}."
        )
    return None


def _leaf(features, path):
    """The feature at a path, out of its sequence; `None` where there is none."""
    # The keys of some data sets hold a slash themselves: `image/id`.
    keys = [path] if path in features else path.split("/")
    feature = features
    for key in keys:
        if not isinstance(feature, tfds.features.FeaturesDict) or key not in feature:
            return None
        feature = feature[key]
        if isinstance(feature, (tfds.features.Sequence, tfds.features.Dataset)):
            feature = feature.feature
    return None if isinstance(feature, tfds.features.FeaturesDict) else feature


def _value(example, path):
    for key in [path] if path in example else path.split("/"):
        example = example[key]
    return example


def _ids(examples, path, split):
    if path:
        values = (example[path] for example in examples)
        ids = tuple(
            value.decode("utf-8") if isinstance(value, bytes) else str(value)
            for value in values
        )
        if len(set(ids)) == len(ids):
            return ids
    return tuple(f"{split}-{row:06d}" for row in range(len(examples)))


def _words(features, path, name):
    labels = _leaf(features, path)
    if not isinstance(labels, tfds.features.ClassLabel):
        raise ValueError(
            f"{name!r}: the feature {path!r} must hold class labels; it is a "
            f"{type(labels).__name__}. {_REMEDY}"
        )
    return tuple(labels.names)


def _tags(examples, path, words):
    tags = np.zeros((len(examples), words), bool)
    for row, example in enumerate(examples):
        labels = np.atleast_1d(example[path])
        tags[row, labels[labels >= 0]] = True
    return tags


def _captions(examples, path):
    return tuple(
        tuple(text.decode("utf-8") for text in np.atleast_1d(example[path]))
        for example in examples
    )
