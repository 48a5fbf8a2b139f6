"""Settings of images, of the backbone that reads them, and of its features."""

import dataclasses
import functools

from annotator.config.names import check_backbone, check_dataset
from annotator.config.setting import Settings, setting

_data = functools.partial(setting, group="data")
_backbone = functools.partial(setting, group="backbone")

_TASKS = ("tagger", "captioner", "all")
_PRECISIONS = ("auto", "float32", "bfloat16")
_RESIZE_METHODS = ("bilinear", "bicubic", "area", "lanczos3")


def _check_batch_size(value):
    if 256 % value:  # as many images as a file of the cache holds
        raise ValueError(f"--batch_size must divide 256, got {value}.")


def _check_train_split(value):
    parts = value.split("+")
    if not all(parts) or len(set(parts)) < len(parts):
        raise ValueError(
            f"--train_split must be a split, or several joined by +, got {value!r}."
        )


@dataclasses.dataclass(frozen=True)
class DataSettings(Settings):
    """Images and their features."""

    task: str = _data("all", "What to train.", choices=_TASKS, free=True)
    dataset: str = _data(
        "shapes",
        "The data set: shapes (drawn on the spot), corel5k, espgame, iaprtc12, "
        "flickr8k, flickr30k, coco, with _karpathy their caption splits, folder (your "
        "own images), keyworded (photographs with XMP or IPTC keywords), several of "
        "these joined by +, or tfds:NAME.",
        check=check_dataset,
    )
    data_dir: str | None = _data(
        None, "The data set's folder.", unset="$ANNOTATOR_DATA/DATASET", free=True
    )
    cache_dir: str | None = _data(
        None,
        "Folder of feature caches and drawn data sets.",
        unset="$ANNOTATOR_CACHE, or ~/.cache/annotator",
        free=True,
    )
    train_split: str = _data(
        "train",
        "The split that is learned, or several: train+validation leaves none to select "
        "by, and the last epoch is kept.",
        check=_check_train_split,
    )
    caption_tags: int = _data(
        0,
        "Where a data set has captions and no tags: training images that a content "
        "word of the captions must be on to become a tag; 0 for none.",
        least=0,
    )
    skip_bad_images: bool = _data(
        False, "Go on without images that cannot be read.", free=True
    )
    keras_file: bool = _data(
        False,
        "Exports hold a .keras file besides, for scripts that have one read by Keras "
        "alone: all weights once more.",
        free=True,
    )
    seed: int = _data(0, "Seed of everything random.", least=0, encoding=True)
    backbone: str = _backbone(
        "vgg16",
        "A network of keras.applications, or alexnet.",
        check=check_backbone,
        encoding=True,
    )
    backbone_weights: str = _backbone(
        "imagenet", "imagenet, random or a file's path.", encoding=True
    )
    precision: str = _backbone(
        "auto",
        "Arithmetic; auto is bfloat16 where the machine computes it natively.",
        choices=_PRECISIONS,
        encoding=True,
    )
    aspect: str = _backbone(
        "squash",
        "How images become squares.",
        choices=("squash", "center_crop"),
        encoding=True,
    )
    resize_method: str = _backbone(
        "bilinear", "How images are resized.", choices=_RESIZE_METHODS, encoding=True
    )
    scales: tuple[int, ...] = _backbone(
        (224,),
        "Sides to which an image is resized, one view each; the captioner reads the "
        "first.",
        items="sides in pixels",
        least=1,
        encoding=True,
    )
    batch_size: int = _backbone(
        32,
        "Images per forward pass of the backbone; divides 256.",
        least=1,
        check=_check_batch_size,
        free=True,
    )

    @property
    def holds_out_validation(self) -> bool:
        """Whether the validation split is not learned, so that it can select."""
        # TFDS knows it as `val`, too, and takes parts of it: `validation[:50%]`.
        names = {part.partition("[")[0] for part in self.train_split.split("+")}
        return not names & {"validation", "val"}
