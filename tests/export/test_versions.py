"""Exports in their folders: found and checked."""

import json
import shutil

import pytest

from annotator.export.versions import find_exports, resolve, verify


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
