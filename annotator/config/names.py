"""Names that other packages give a meaning, known here before these are imported."""

import difflib
import os
from collections.abc import Iterable

# Those of `annotator.datasets`.
DATASETS = (
    *("shapes", "corel5k", "espgame", "iaprtc12", "flickr8k", "flickr30k"),
    *("flickr8k_karpathy", "flickr30k_karpathy", "coco_karpathy", "coco", "folder"),
    "keyworded",
)
# Those of `annotator.backbones`: AlexNet, and the networks of `keras.applications`.
BACKBONES = (
    "alexnet",
    *("convnextbase", "convnextlarge", "convnextsmall"),
    *("convnexttiny", "convnextxlarge"),
    *("densenet121", "densenet169", "densenet201"),
    *("efficientnetb0", "efficientnetb1", "efficientnetb2", "efficientnetb3"),
    *("efficientnetb4", "efficientnetb5", "efficientnetb6", "efficientnetb7"),
    *("efficientnetv2b0", "efficientnetv2b1", "efficientnetv2b2", "efficientnetv2b3"),
    *("efficientnetv2l", "efficientnetv2m", "efficientnetv2s"),
    *("inceptionresnetv2", "inceptionv3"),
    *("mobilenet", "mobilenetv2", "mobilenetv3large", "mobilenetv3small"),
    *("nasnetlarge", "nasnetmobile"),
    *("resnet101", "resnet101v2", "resnet152", "resnet152v2"),
    *("resnet50", "resnet50v2", "vgg16", "vgg19", "xception"),
)

# Endings of files of records, those of `annotator.annotation.record_file`.
RECORD_FORMATS = (".jsonl", ".csv", ".parquet")


def suggestion(name: str, known: Iterable[str], prefix: str = "") -> str:
    """The end of an error's message: what may have been meant.

    Args:
        name: What was said.
        known: What might have been said.
        prefix: Stands before the name that is suggested.

    Returns:
        `" Did you mean NAME?"`, or nothing if none of `known` is like it.
    """
    close = difflib.get_close_matches(str(name), list(known), n=1)
    return f" Did you mean {prefix}{close[0]}?" if close else ""


def check_dataset(name: str) -> None:
    """Refuses a name of no data set.

    Args:
        name: A name, `tfds:NAME` with any name, or several of the former joined by `+`.

    Raises:
        ValueError: If there is no such data set.
    """
    if name.startswith("tfds:"):
        return
    for part in name.split("+"):
        if part not in DATASETS:
            raise ValueError(
                f"Unknown data set {part!r}; known: {', '.join(DATASETS)}, several of "
                "these joined by +, and tfds:NAME for any TFDS data set."
                f"{suggestion(part, DATASETS)}"
            )


def check_backbone(name: str) -> None:
    """Refuses a name of no network.

    Args:
        name: A name in any case, with or without underscores.

    Raises:
        ValueError: If there is no such network.
    """
    key = name.lower().replace("_", "").replace("-", "")
    if key not in BACKBONES:
        raise ValueError(
            f"Unknown backbone {name!r}.{suggestion(key, BACKBONES)} There are "
            f"{', '.join(BACKBONES)}."
        )


def model_paths(given: Iterable[str]) -> list[str]:
    """The paths that `--model` names.

    Args:
        given: Each a path, or several with commas between them; a path that exists may
            have a comma, too.
    """
    return [
        path
        for paths in given
        for path in ([paths] if os.path.exists(paths) else paths.split(","))
        if path
    ]


def check_output(path: str | os.PathLike) -> None:
    """Refuses a file of no form that records can have.

    Args:
        path: The file that shall be written.

    Raises:
        ValueError: When its ending is another; names the flag and the endings.
    """
    if os.path.splitext(path)[1].lower() not in RECORD_FORMATS:
        raise ValueError(f"--output={path} must end in {' or '.join(RECORD_FORMATS)}.")
