"""The models of a preset, built again as the models of an export are."""

import os
import pathlib
from collections.abc import Callable, Mapping
from typing import Any

import keras
import numpy as np

import annotator.layers  # noqa: F401  (registers what the heads are made of)
from annotator.backbones.backbone import build_backbone
from annotator.export import preset
from annotator.export.saved_model import image_model
from annotator.export.versions import HELD_OUT, MANIFEST, Exports
from annotator.images.resize import Resize
from annotator.tagger.calibration import CalibratedProbabilities
from annotator.tagger.rules.given_tags import asked_thresholds, given_tags
from annotator.tagger.rules.held_out_precision import HeldOutPrecision
from annotator.tagger.teaching_basis import TeachingBasis
from annotator.tagger.top_tags import TopTags


def preset_models(exports: Exports) -> dict[str, keras.Model]:
    """Builds what the `.keras` files of exports would hold, of all heads of presets.

    Heads of one preset read one network, which is built once.

    Args:
        exports: As of `find_exports`.

    Returns:
        Dict from task to its model of images, from
        `annotator.export.saved_model.image_model`.
    """
    models = {}
    of_folders: dict[pathlib.Path, list[str]] = {}
    for task, (folder, manifest) in exports.items():
        if "preset" in manifest:
            of_folders.setdefault(folder, []).append(task)
    for folder, tasks in of_folders.items():
        manifest = exports[tasks[0]][1]["preset"]
        taps = {task: manifest["tasks"][task]["tap"] for task in tasks}
        network = build_backbone(
            manifest["network"],
            tuple(dict.fromkeys(taps.values())),
            preset.backbone_weights(folder, manifest),
        )
        for task, tap in taps.items():
            maps = {tap: network.output[tap]}
            backbone = keras.Model(network.input, maps, name=network.name)
            models[task] = _image_model(folder, manifest, task, backbone)
    return models


def _image_model(folder, manifest, task, backbone):
    facts = manifest["tasks"][task]
    head = preset.build_head(
        facts["model"],
        preset.read_head(folder, task),
        str(folder / f"{task}.safetensors"),
    )
    views = [Resize(**view) for view in facts["views"]]
    model, _ = image_model(
        backbone, views, _outputs(head, folder, manifest, task), task
    )
    return model


def preset_basis(
    folder: str | os.PathLike, manifest: Mapping[str, Any]
) -> TeachingBasis:
    """What the tagger of a preset hands on to be taught.

    Args:
        folder: Folder of the preset.
        manifest: Its manifest.

    Raises:
        ValueError: When it has no tagger that can be taught.
    """
    if f"{preset.TEACHING}.safetensors" not in manifest["files"]:
        raise ValueError(f"The preset {folder} has no tagger that can be taught.")
    arrays = preset.read_head(folder, preset.TEACHING)
    return TeachingBasis.from_compact(manifest["tasks"]["tagger"]["words"], arrays)


def tagger_words(manifest: Mapping[str, Any]) -> list[str]:
    """The words of a tagger, in the order of its scores.

    Args:
        manifest: The manifest of its export.
    """
    if "preset" in manifest:
        return manifest["preset"]["tasks"]["tagger"]["words"]
    return manifest["words"]


def held_out_precision(
    folder: str | os.PathLike, manifest: Mapping[str, Any]
) -> HeldOutPrecision | None:
    """How often a tagger's words were right on held-out images, if that is known.

    Args:
        folder: Folder of an export or preset.
        manifest: The export's manifest.
    """
    folder = pathlib.Path(folder)
    if "preset" not in manifest:
        name = MANIFEST.with_name(HELD_OUT)
        known = str(name) in manifest["files"]
        return HeldOutPrecision.load(folder / name) if known else None
    return _held_out(folder, manifest["preset"])


def _held_out(
    folder: pathlib.Path, manifest: Mapping[str, Any]
) -> HeldOutPrecision | None:
    if f"{preset.HELD_OUT}.safetensors" not in manifest["files"]:
        return None
    return HeldOutPrecision.from_compact(preset.read_head(folder, preset.HELD_OUT))


def _outputs(
    head: keras.Model, folder: pathlib.Path, manifest: Mapping[str, Any], task: str
) -> Callable[[Any], dict]:
    """From regions to the outputs of an export."""
    facts = manifest["tasks"][task]
    if "words" not in facts:
        return head
    top = TopTags(
        facts["words"],
        facts["top_k"],
        facts["threshold"],
        facts["rank_by"],
        name="top_tags",
    )
    fitted = facts.get("calibration")
    probabilities = fitted and CalibratedProbabilities.from_fit(
        np.float32(fitted["slope"]),
        np.float32(fitted["offsets"]),
        name="probabilities",
    )
    thresholds = asked_thresholds(
        facts.get("tag_precision"),
        facts.get("tag_probability"),
        lambda: _held_out(folder, manifest),
        lambda: probabilities,
        folder,
    )
    return given_tags(head, top, thresholds, probabilities)
