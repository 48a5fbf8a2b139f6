"""Exported models in their folders, one a version: found and checked."""

import hashlib
import json
import os
import pathlib
from collections.abc import Iterable, Mapping
from typing import Any, TypeAlias

from annotator import files
from annotator.export import preset

MANIFEST = pathlib.PurePath("assets.extra", "annotator.json")
# How the model is built whose weights the SavedModel has.
DESCRIPTION = MANIFEST.with_name("model.json")
# Of a tagger: what `annotator.tagger.teaching_basis` reads.
TEACHING = "teaching.npz"
# Of a tagger: what `annotator.tagger.rules.held_out_precision` reads.
HELD_OUT = "held_out.npz"
TASKS = ("captioner", "tagger")

# From task to the folder of a version and its manifest.
Exports: TypeAlias = dict[str, tuple[pathlib.Path, dict[str, Any]]]


def find_exports(paths: Iterable[str | os.PathLike]) -> Exports:
    """Finds exports and presets and checks them.

    Args:
        paths: Folders of a version, of all versions of a model (the newest counts), or
            a workdir or its `export` folder, for all models in it; folders of presets;
            or names of those that come with the package. `~` is expanded.

    Returns:
        Dict from task to `(folder, manifest)`, captioner first.

    Raises:
        FileNotFoundError: When a folder is no export.
        ValueError: When a file is missing or altered, or a task is given twice.
    """
    found: list[tuple[pathlib.Path, dict[str, Any]]] = []
    for folder in map(_export_folder, paths):
        if preset.is_preset(folder):
            found += _heads(folder)
            continue
        inside = [folder / task for task in TASKS if (folder / task).is_dir()]
        versions = map(resolve, inside or [folder])
        found += [(version, verify(version)) for version in versions]
    exports: Exports = {}
    for folder, manifest in found:
        task = manifest.get("task")
        known = {f"{task}.keras", str(DESCRIPTION)} & manifest["files"].keys()
        if task not in TASKS or not known:
            raise ValueError(
                f"{folder} is no export that this version of annotator knows: its task "
                f"is {task!r}, its files are {sorted(manifest['files'])}. Export it "
                "again with train.py."
            )
        if task in exports:
            raise ValueError(
                f"{exports[task][0]} and {folder} are both a {task}: name one of each."
            )
        exports[task] = folder, manifest
    return {task: exports[task] for task in TASKS if task in exports}


def _heads(folder):
    """The heads of a preset, as if each were an export."""
    manifest = preset.read_preset(folder)
    for task in manifest["tasks"]:
        weights = manifest["files"][f"{task}.safetensors"]
        # What the weights mean stands in the manifest itself.
        listed = {f"{task}.keras": f"{weights} {files.sha256(folder / preset.PRESET)}"}
        facts = {"config": preset.head_config(folder, manifest, task)}
        yield folder, {"task": task, "files": listed, "preset": manifest, **facts}


def _export_folder(path):
    """The folder of a packaged preset, or the `export` folder of a workdir."""
    folder = pathlib.Path(os.path.expanduser(path))
    if not folder.exists() and os.fspath(path) in preset.packaged():
        return preset.packaged()[os.fspath(path)]
    return folder / "export" if (folder / "export").is_dir() else folder


def resolve(path: str | os.PathLike) -> pathlib.Path:
    """The folder of a version, given it or the folder of all versions of a model.

    Args:
        path: Folder of a version, or of all; of those the newest counts.

    Returns:
        Folder of a version.

    Raises:
        FileNotFoundError: When `path` is neither.
    """
    path = pathlib.Path(path)
    if (path / MANIFEST).is_file():
        return path
    newest = max(version_numbers(path), default=None)
    if newest is None or not (path / str(newest) / MANIFEST).is_file():
        raise FileNotFoundError(
            f"{path} is no exported model: it holds neither {MANIFEST} nor a numbered "
            "folder that does. Name the workdir of a training that has ended, or a "
            "folder such as WORKDIR/export/tagger."
        )
    return path / str(newest)


def model_digest(manifest: Mapping[str, Any]) -> str:
    """What tells an export's model from all others.

    Args:
        manifest: The export's.

    Returns:
        SHA-256, as hex; of an export with a `.keras` file, that file's.
    """
    listed = manifest["files"]
    name = f"{manifest['task']}.keras"
    if name in listed:
        return listed[name]
    return hashlib.sha256(json.dumps(listed, sort_keys=True).encode()).hexdigest()


def latest(
    directory: str | os.PathLike, name: str
) -> tuple[pathlib.Path, dict[str, Any]] | None:
    """The newest version of a model.

    Args:
        directory: The workdir's `export` folder.
        name: Name of the served model.

    Returns:
        `(saved_model, manifest)`, or `None` where there is no version.
    """
    folder = pathlib.Path(directory) / name
    version = max(version_numbers(folder), default=None)
    if version is None:
        return None
    saved_model = folder / str(version)
    manifest = files.read_json(saved_model / MANIFEST)
    return saved_model, manifest


def verify(version_folder: str | os.PathLike) -> dict[str, Any]:
    """Checks every file of a version against the manifest.

    Args:
        version_folder: Folder of a version.

    Returns:
        The manifest.

    Raises:
        ValueError: When a file is missing, altered, a link, or not in the manifest; the
            message names it.
    """
    folder = pathlib.Path(version_folder)
    manifest = files.read_json(folder / MANIFEST)
    listed = manifest.get("files") if isinstance(manifest, dict) else None
    if not isinstance(listed, dict) or "saved_model.pb" not in listed:
        raise ValueError(
            f"{folder / MANIFEST} lists no SavedModel: it was altered, or another "
            "version of annotator wrote it. Export the model again."
        )
    inside = _files_of(folder)
    for name in sorted(inside - {*listed, str(MANIFEST)}):
        raise ValueError(
            f"{folder / name} is no part of the model that was exported: take it away."
        )
    for name, digest in listed.items():
        path = folder / name
        if ".." in path.parts or not path.is_relative_to(folder):
            raise ValueError(
                f"{folder / MANIFEST} names the file {name!r}, which lies outside the "
                "folder: it was altered. Copy or export the model again."
            )
        if name not in inside:
            raise ValueError(f"{path} is missing: copy or export the model again.")
        if files.sha256(path) != digest:
            raise ValueError(
                f"{path} is not the file that was exported (another SHA-256): copy or "
                "export the model again."
            )
    return manifest


def _files_of(folder):
    """Names of all files in and below a folder, which holds nothing else."""
    names = set()
    for path in folder.rglob("*"):
        if path.is_symlink():
            raise ValueError(
                f"{path} is a link; a model's folder is complete in itself: put a copy "
                "of what it names in its place."
            )
        if path.is_file():
            names.add(path.relative_to(folder).as_posix())
        elif not path.is_dir():
            raise ValueError(f"{path} is neither a file nor a folder: take it away.")
    return names


def version_numbers(folder: pathlib.Path) -> list[int]:
    """The numbers of the versions in the folder of a model; none if it is missing."""
    if not folder.is_dir():
        return []
    return [int(entry.name) for entry in folder.iterdir() if entry.name.isdecimal()]
