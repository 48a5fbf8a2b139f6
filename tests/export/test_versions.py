"""Exports in their folders: found and checked."""

import dataclasses
import importlib.metadata
import json
import os
import re
import shutil

import pytest
import tensorflow as tf

import annotator
from annotator import files
from annotator.export import serving_files
from annotator.export.keras_model import keras_model
from annotator.export.libraries import library_versions
from annotator.export.versions import MANIFEST, find_exports, resolve, verify
from annotator.runs.run import Run
from annotator.training.exports import export_tagger


@pytest.fixture(scope="module")
def exports(tagger_run, captioner_run):
    """Folders of a tagger's and a captioner's export."""
    return tagger_run[0] / "export", captioner_run[0] / "export" / "captioner"


def test_exports_are_found_in_each_kind_of_folder(exports, tagger_run, tmp_path):
    version = tagger_run[2][0]
    for folder in (version, version.parent, version.parent.parent, tagger_run[0]):
        ((task, (newest, manifest)),) = find_exports([str(folder)]).items()
        assert task == manifest["task"] == "tagger"
        assert newest.parent == version.parent
    assert list(find_exports(exports)) == ["captioner", "tagger"]
    with pytest.raises(ValueError, match="are both a tagger"):
        find_exports([version, version.parent])
    with pytest.raises(FileNotFoundError, match=f"{tmp_path} is no exported model"):
        find_exports([tmp_path])
    (tmp_path / "tagger").mkdir()  # a run that has exported nothing yet
    with pytest.raises(FileNotFoundError, match="a training that has ended"):
        find_exports([tmp_path])


@pytest.mark.parametrize(
    ("manifest", "message"),
    [
        ({"task": "poet"}, "its task is 'poet'"),
        ({"task": "tagger"}, r"its files are \['saved_model.pb'\]"),
    ],
)
def test_exports_of_another_kind_are_named(manifest, message, tmp_path):
    (tmp_path / "assets.extra").mkdir()
    (tmp_path / "saved_model.pb").touch()
    empty = "e3b0c44298fc1c149afbf4c8996fb92427ae41e4649b934ca495991b7852b855"
    manifest = {**manifest, "files": {"saved_model.pb": empty}}
    (tmp_path / "assets.extra" / "annotator.json").write_text(json.dumps(manifest))
    with pytest.raises(ValueError, match=f"{tmp_path} is no export .*{message}"):
        find_exports([tmp_path])


@pytest.mark.parametrize("harm", ["missing", "altered"])
def test_a_damaged_version_is_found_out(harm, tagger_run, tmp_path):
    copy = tmp_path / "tagger" / "1"
    shutil.copytree(tagger_run[2][0], copy)
    assert verify(copy)["task"] == "tagger"
    harmed = copy / "variables" / "variables.data-00000-of-00001"
    if harm == "missing":
        harmed.unlink()
    else:
        content = bytearray(harmed.read_bytes())
        content[len(content) // 2] ^= 1
        harmed.write_bytes(content)
    with pytest.raises(ValueError, match=f"{harmed}.*again"):
        verify(copy)


def test_a_manifest_of_another_version_is_named(tmp_path):
    manifest = tmp_path / "assets.extra" / "annotator.json"
    manifest.parent.mkdir()
    for text in ('{"words": []}', "null", "3", '{"files": []}', '{"files": {}}'):
        manifest.write_text(text)
        with pytest.raises(ValueError, match=f"{manifest} lists no SavedModel"):
            verify(tmp_path)


def test_a_folder_without_a_model_is_named(tmp_path):
    with pytest.raises(FileNotFoundError, match=f"{tmp_path} is no exported model"):
        resolve(tmp_path)


def added_file(copy, outside):
    (copy / "variables" / "more.bin").write_bytes(b"1")
    return copy / "variables" / "more.bin", "is no part of the model"


def hidden_file(copy, outside):
    (copy / ".DS_Store").touch()
    return copy / ".DS_Store", "is no part of the model"


def linked_file(copy, outside):
    path = copy / "saved_model.pb"
    path.rename(outside / "saved_model.pb")
    path.symlink_to(outside / "saved_model.pb")
    return path, "is a link"


def linked_folder(copy, outside):
    path = copy / "variables"
    path.rename(outside / "variables")
    path.symlink_to(outside / "variables")
    return path, "is a link"


def pipe(copy, outside):
    os.mkfifo(copy / "pipe")
    return copy / "pipe", "is neither"


def named(name):
    def harm(copy, outside):
        path = copy / MANIFEST
        manifest = json.loads(path.read_text())
        (outside / "secret").write_bytes(b"")
        manifest["files"][name.format(outside)] = "0" * 64
        path.write_text(json.dumps(manifest))
        return path, f"names the file {name.format(outside)!r}"

    return harm


@pytest.mark.parametrize(
    "harm",
    [
        *(added_file, hidden_file, linked_file, linked_folder, pipe),
        *(named("../secret"), named("variables/../../secret"), named("{}/secret")),
    ],
)
def test_a_folder_that_is_not_what_was_exported(harm, tmp_path):
    copy, outside = tmp_path / "tagger" / "1", tmp_path / "outside"
    outside.mkdir()
    manifest = {"task": "tagger", "files": {}}
    for name in ("saved_model.pb", "tagger.keras", "variables/variables.index"):
        files.write_text(copy / name, name)
        manifest["files"][name] = files.sha256(copy / name)
    files.write_json(copy / MANIFEST, manifest)
    assert verify(copy) == manifest
    path, reason = harm(copy, outside)
    with pytest.raises(ValueError, match=f"{re.escape(str(path))} {reason}"):
        verify(copy)


@pytest.mark.parametrize("installed", [None, "9.9"])
def test_a_checkout_knows_its_version(installed, monkeypatch):
    """The package's own, where no distribution says which it is."""

    def version(library):
        if library == "keras-annotator" and installed is None:
            raise importlib.metadata.PackageNotFoundError(library)
        return installed or "1.0"

    monkeypatch.setattr(importlib.metadata, "version", version)
    expected = installed or annotator.__version__
    assert library_versions()["keras-annotator"] == expected


def test_versions_count_up_and_say_where_they_come_from(
    tagger_run, tagger_config, tmp_path
):
    workdir = shutil.copytree(tagger_run[0], tmp_path / "run")
    first = tagger_run[2][0]
    (workdir / "export" / "tagger" / "notes").mkdir()
    config = dataclasses.replace(tagger_config, keras_file=False)
    (second,) = export_tagger(Run(config, workdir))
    assert int(second.name) == int(first.name) + 1
    # The checkpoint is all that holds weights: the rest of the model is its graphs.
    assert not list(second.glob("*.keras"))
    checkpoint = second / "variables" / "variables.data-00000-of-00001"
    shutil.rmtree(second.with_name("notes"))
    assert len(keras_model(second.parent).get_layer("tagger_of_views").weights) > 0
    whole = checkpoint.read_bytes()
    checkpoint.write_bytes(whole[:100])
    with pytest.raises(ValueError, match="other weights than .*model.json.*again"):
        keras_model(second)
    checkpoint.write_bytes(whole)
    facts = json.loads((second / "assets.extra" / "annotator.json").read_text())
    assert facts["words"] == ["blue", "green", "red"]
    assert facts["config"]["components"] == tagger_config.components
    assert facts["versions"]["tensorflow"] == tf.__version__
    left = [path.name for path in (workdir / "export").iterdir()]
    assert sorted(left) == ["batching_parameters.txt", "models.config", "tagger"]
    assert resolve(second.parent) == resolve(second) == second


def test_a_version_appears_whole_or_not_at_all(
    tagger_run, captioner_run, tagger_config, tmp_path, monkeypatch
):
    """With the request that warms a server up, or without a number."""
    for run in (tagger_run, captioner_run):
        ((signature, _), *_) = serving_files.read_warmup(run[2][0])
        assert signature == "serving_default"
    seen = []

    write_warmup = serving_files.write_warmup

    def watched(folder, name):
        # All else is written by now; who is cut off here leaves this behind.
        assert (folder / "saved_model.pb").is_file()
        seen.extend(path.name for path in (tmp_path / "export").rglob("*"))
        write_warmup(folder, name)

    workdir = shutil.copytree(tagger_run[0], tmp_path, dirs_exist_ok=True)
    shutil.rmtree(workdir / "export")
    monkeypatch.setattr(serving_files, "write_warmup", watched)
    saved_model, keras_file = export_tagger(Run(tagger_config, workdir))
    assert "saved_model.pb" in seen and not any(name.isdecimal() for name in seen)
    assert keras_file.parent == saved_model
    assert saved_model.name == "1" and verify(saved_model)
