"""Presets: trained models in one small folder, without a copy of a packaged backbone.

`preset.json` says how the models are built, from which layer of which network, and has
the SHA-256 of every other file; `TASK.safetensors` holds the weights of a head in 8
bits. `README.md` is the model card.
"""

import os
import pathlib
from collections.abc import Mapping
from typing import Any

import keras
import numpy as np

from annotator import files
from annotator.export.compact import read_compact, write_compact
from annotator.export.libraries import library_versions

PRESET = "preset.json"
BACKBONE = "backbone.safetensors"
# The arrays of `annotator.tagger.teaching_basis`, as if they were those of a task.
TEACHING = "teaching"
# The arrays of `annotator.tagger.rules.held_out_precision`, in the same way.
HELD_OUT = "held_out"
# For photographs: what is used where no model is named.
DEFAULT_PRESET = "photos"
_FORMAT = 1
_FOLDER = pathlib.Path(__file__).parents[1] / "presets"


def packaged() -> dict[str, pathlib.Path]:
    """Name -> folder of the presets that come with the package."""
    return {
        path.parent.name: path.parent for path in sorted(_FOLDER.glob(f"*/{PRESET}"))
    }


def is_preset(folder: str | os.PathLike) -> bool:
    """Whether a folder holds a preset."""
    return (pathlib.Path(folder) / PRESET).is_file()


def describe_head(model: keras.Model) -> dict[str, Any]:
    """What `build_head` needs of a head, JSON-ready, but for its weights."""
    return keras.saving.serialize_keras_object(model)


def head_weights(model: keras.Model) -> dict[str, np.ndarray]:
    """The weights of a head by names that tell their places."""
    return {
        f"{place:03d} {weight.path}": np.asarray(weight.value)
        for place, weight in enumerate(model.weights)
    }


def write_preset(
    folder: str | os.PathLike, manifest: Mapping[str, Any], heads: Mapping[str, Any]
) -> pathlib.Path:
    """Writes the files of a preset but for those that are in its folder already.

    Args:
        folder: The folder; made if missing.
        manifest: What `preset.json` says: `network`, `backbone_weights` (`imagenet` or
            the name of a file in the folder) and `tasks`, from a task to `tap`,
            `views`, `model` as of `describe_head` and what is particular to the task.
        heads: From a task to the `head_weights` of its model; from `TEACHING` to what a
            tagger hands on to be taught.

    Returns:
        The folder.
    """
    folder = pathlib.Path(folder)
    folder.mkdir(parents=True, exist_ok=True)
    for task, arrays in heads.items():
        write_compact(folder / f"{task}.safetensors", arrays, task=task)
        (folder / f"{task}.safetensors").chmod(0o644)
    names = [f"{task}.safetensors" for task in heads]
    if manifest["backbone_weights"] == BACKBONE:
        names.append(BACKBONE)
    facts = {
        "format": _FORMAT,
        **manifest,
        "versions": library_versions(),
        "files": {name: files.sha256(folder / name) for name in names},
    }
    files.write_json(folder / PRESET, facts)
    return folder


def read_preset(folder: str | os.PathLike) -> dict[str, Any]:
    """Reads a preset's manifest and checks its files.

    Args:
        folder: The folder.

    Returns:
        What `preset.json` says.

    Raises:
        ValueError: When another version wrote it, or a file is missing or altered.
    """
    folder = pathlib.Path(folder)
    manifest = files.read_json(folder / PRESET)
    if not isinstance(manifest, dict) or manifest.get("format") != _FORMAT:
        raise ValueError(
            f"{folder / PRESET} is of another version of annotator: install the one "
            "that wrote it, or save the preset again."
        )
    for name, digest in manifest["files"].items():
        path = folder / name
        if path.name != name or not path.is_file():
            raise ValueError(f"{path} is missing: copy or install the preset again.")
        if files.sha256(path) != digest:
            raise ValueError(
                f"{path} is not the file that was saved (another SHA-256): copy or "
                "install the preset again."
            )
    weights = manifest["backbone_weights"]
    if weights != "imagenet" and weights not in manifest["files"]:
        raise ValueError(
            f"{folder / PRESET} names weights {weights!r} that are no file of the "
            "preset: copy or install it again."
        )
    return manifest


def backbone_weights(folder: pathlib.Path, manifest: Mapping[str, Any]) -> str:
    """What a preset's backbone is built with: `imagenet`, or the file in its folder.

    Args:
        folder: The folder of the preset.
        manifest: As of `read_preset`.
    """
    weights = manifest["backbone_weights"]
    return weights if weights == "imagenet" else str(folder / weights)


def head_config(
    folder: pathlib.Path, manifest: Mapping[str, Any], task: str
) -> dict[str, Any]:
    """The settings that a head was trained with, JSON-ready.

    Args:
        folder: The folder of the preset, where its backbone's weights lie if they do
            not come with the package.
        manifest: As of `read_preset`.
        task: The task.
    """
    weights = {"backbone_weights": backbone_weights(folder, manifest)}
    return manifest["tasks"][task]["config"] | weights


def build_head(
    description: Mapping[str, Any], arrays: Mapping[str, np.ndarray], path: str
) -> keras.Model:
    """Builds a head again.

    Args:
        description: As of `describe_head`.
        arrays: As of `read_compact`; what is no weight of the model is left alone.
        path: Where they come from, for messages.

    Returns:
        The model, built, with its weights.

    Raises:
        ValueError: When the weights are others than those of the model.
    """
    model = keras.saving.deserialize_keras_object(dict(description))
    if not model.built:
        model.build_from_config(description["build_config"])
    stored = {int(n.split(" ", 1)[0]): a for n, a in arrays.items() if n[0].isdigit()}
    shapes = [tuple(weight.shape) for weight in model.weights]
    if [stored[place].shape for place in sorted(stored)] != shapes:
        raise ValueError(
            f"{path} holds other weights than its model has: install the preset again."
        )
    for place, weight in enumerate(model.weights):
        weight.assign(stored[place])
    return model


def read_head(folder: str | os.PathLike, task: str) -> dict[str, np.ndarray]:
    """The arrays of a task, from the folder of its preset."""
    return read_compact(pathlib.Path(folder) / f"{task}.safetensors")
