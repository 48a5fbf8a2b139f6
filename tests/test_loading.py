"""Files that carry code, objects, links or other files: refused, by name."""

import ast
import io
import json
import pathlib
import pickle
import zipfile

import h5py
import keras
import numpy as np
import pytest

from annotator import loading
from annotator.backbones import weights

PACKAGE = pathlib.Path(__file__).parents[1] / "annotator"
OBJECTS = np.array([{"an": "object"}, None], object)


class Marked:
    """Unpickled, it makes the file that its state names."""

    def __init__(self, path):
        self.path = path

    def __reduce__(self):
        return pathlib.Path.touch, (self.path,)


def npy(array):
    content = io.BytesIO()
    np.save(content, array, allow_pickle=True)
    return content.getvalue()


def archive(**members):
    content = io.BytesIO()
    with zipfile.ZipFile(content, "w") as file:
        for name, data in members.items():
            file.writestr(name, data)
    return content.getvalue()


@pytest.mark.parametrize(
    ("content", "reason"),
    [
        (lambda mark: npy(OBJECTS), "Object arrays"),
        (lambda mark: npy(np.array([Marked(mark)], object)), "Object arrays"),
        (lambda mark: pickle.dumps(Marked(mark)), "pickle"),
        (lambda mark: npy(np.zeros(9))[:-8], "cannot be read"),
        (lambda mark: b"", "No data left"),
        (lambda mark: archive(**{"a.npy": npy(np.zeros(2))}), "archive, not an array"),
    ],
)
def test_an_array_with_objects(content, reason, tmp_path):
    path, mark = tmp_path / "a.npy", tmp_path / "mark"
    path.write_bytes(content(mark))
    for mode in (None, "r"):
        with pytest.raises(ValueError, match=f"{path} cannot be read: ") as caught:
            loading.array(path, mode)
        assert reason in str(caught.value) or mode
    assert not mark.exists()


@pytest.mark.parametrize(
    "content",
    [
        lambda mark: archive(**{"a.npy": npy(OBJECTS)}),
        lambda mark: archive(**{"a.npy": npy(np.array([Marked(mark)], object))}),
        lambda mark: archive(**{"a.npy": pickle.dumps(Marked(mark))}),
        lambda mark: archive(**{"a.npy": npy(np.zeros(9))})[:-30],
        lambda mark: pickle.dumps(Marked(mark)),
        lambda mark: npy(np.zeros(2)),
    ],
)
def test_arrays_with_objects(content, tmp_path):
    path, mark = tmp_path / "a.npz", tmp_path / "mark"
    path.write_bytes(content(mark))
    with pytest.raises(ValueError, match=f"{path} cannot be read: "):
        loading.arrays(path)
    assert not mark.exists()


def test_arrays_of_numbers_and_text(tmp_path):
    words = np.array(["sea", "sky"])
    np.save(tmp_path / "a.npy", words)
    np.savez(tmp_path / "a.npz", words=words, rows=7)
    np.testing.assert_array_equal(loading.array(tmp_path / "a.npy"), words)
    found = loading.arrays(tmp_path / "a.npz")
    np.testing.assert_array_equal(found["words"], words)
    assert int(found["rows"]) == 7


@keras.saving.register_keras_serializable(package="annotator_tests")
class Plain(keras.layers.Layer):
    def call(self, inputs):
        return inputs


def saved_model(folder, layer):
    path = folder / "m.keras"
    inputs = keras.Input((3,))
    keras.Model(inputs, layer(keras.layers.Dense(2)(inputs))).save(path)
    return path


def rewritten(path, change):
    """Changes the members of an archive, a dict."""
    with zipfile.ZipFile(path) as file:
        members = {name: file.read(name) for name in file.namelist()}
    change(members)
    path.write_bytes(archive(**members))


def of_class(module, name, **config):
    """Replaces the class of a model's last layer."""

    def change(members):
        text = json.loads(members["config.json"])
        layer = text["config"]["layers"][-1]
        layer |= {"module": module, "class_name": name, "registered_name": None}
        layer["config"] |= config
        members["config.json"] = json.dumps(text)

    return change


@pytest.mark.parametrize(
    "change",
    [
        of_class("subprocess", "Popen", args="true"),
        of_class("os", "system", command="true"),
        of_class("builtins", "exec"),
        of_class("keras.utils", "get_file", origin="file:///etc/passwd"),
        of_class("keras.layers", "TFSMLayer", filepath="elsewhere"),
        of_class("keras.layers", "StringLookup", vocabulary="/etc/passwd"),
        lambda members: members.update({"../../evil.py": b"1"}),
        lambda members: members.update({"/etc/evil": b"1"}),
        lambda members: members.update({"assets/evil.pkl": b"1"}),
        lambda members: members.pop("config.json"),
        lambda members: members.pop("model.weights.h5"),
        lambda members: members.update({"config.json": b"[" * 10_000}),
        lambda members: members.update({"config.json": b"[]"}),
        lambda members: members.update({"model.weights.h5": b"\x89HDF"}),
    ],
)
def test_a_model_with_code_or_other_files(change, tmp_path):
    path = saved_model(tmp_path, Plain())
    loading.model(path)
    rewritten(path, change)
    with pytest.raises(ValueError, match=f"{path} cannot be read: "):
        loading.model(path)


def test_a_model_with_a_function_in_it(tmp_path):
    path = saved_model(tmp_path, keras.layers.Lambda(lambda x: x + 1))
    with pytest.raises(ValueError, match=f"{path} cannot be read: ") as caught:
        loading.model(path)
    assert "ambda" in str(caught.value) and "\n" not in str(caught.value)


@pytest.mark.parametrize(
    "change",
    [
        of_class("subprocess", "Popen", args="true"),
        of_class("builtins", "exec"),
        of_class("keras.layers", "TFSMLayer", filepath="elsewhere"),
        of_class("keras.layers", "StringLookup", vocabulary="/etc/passwd"),
        lambda members: members.update({"config.json": b"[" * 10_000}),
        lambda members: members.update({"config.json": b"[]"}),
        lambda members: members.update({"config.json": b"{"}),
    ],
)
def test_a_description_with_code_or_of_no_model(change, tmp_path):
    with zipfile.ZipFile(saved_model(tmp_path, Plain())) as file:
        members = {"config.json": file.read("config.json")}
    path = tmp_path / "model.json"
    path.write_bytes(members["config.json"])
    assert loading.described_model(path).output_shape == (None, 2)
    change(members)
    text = members["config.json"]
    path.write_bytes(text if isinstance(text, bytes) else text.encode())
    with pytest.raises(ValueError, match=f"{path} cannot be read: "):
        loading.described_model(path)


def test_files_that_are_no_models(tmp_path):
    path = tmp_path / "m.keras"
    with pytest.raises(FileNotFoundError, match=str(path)):
        loading.model(path)
    for content in (b"", pickle.dumps(1), archive(), archive(a=b"")):
        path.write_bytes(content)
        with pytest.raises(ValueError, match=f"{path} cannot be read: "):
            loading.model(path)


def external(file, folder):
    (folder / "secret").write_bytes(bytes(24))
    secret = [(str(folder / "secret"), 0, 24)]
    file.create_dataset("w/kernel", (3,), "<f8", external=secret)


def virtual(file, folder):
    layout = h5py.VirtualLayout((3,), "<f8")
    layout[:] = h5py.VirtualSource(str(folder / "other.h5"), "d", (3,))
    file.create_virtual_dataset("kernel", layout)


def circle(file, folder):
    group = file.create_group("a/b")
    group["up"] = file["a"]


@pytest.mark.parametrize(
    ("write", "reason"),
    [
        (external, "/w/kernel reads another file"),
        (virtual, "/kernel reads another file"),
        (circle, "/a/b/up is there twice"),
        (
            lambda file, folder: file.update(a=h5py.ExternalLink("other.h5", "/x")),
            "/a is a link to another place or file",
        ),
        (
            lambda file, folder: file.update(a=h5py.SoftLink("/b")),
            "/a is a link to another place or file",
        ),
        (
            lambda file, folder: file.create_dataset(
                "a", (1,), h5py.special_dtype(vlen=str)
            ),
            "/a holds other than numbers",
        ),
        (
            lambda file, folder: file.create_dataset("a", (1,), h5py.ref_dtype),
            "/a holds other than numbers",
        ),
        (
            lambda file, folder: file.create_dataset("a", data=np.void(b"code")),
            "/a holds other than numbers",
        ),
    ],
)
@pytest.mark.parametrize("name", ["w.h5", "w.weights.h5"])
def test_weights_that_lead_elsewhere(write, reason, name, tmp_path):
    path = tmp_path / name
    with h5py.File(path, "w") as file:
        write(file, tmp_path)
    network = keras.Sequential([keras.Input((3,)), keras.layers.Dense(2)])
    with pytest.raises(weights.BackboneWeightsError) as caught:
        weights.load_weights_file(network, network, path)
    assert str(caught.value) == f"{path} cannot be read: {reason}."


@pytest.mark.parametrize(
    "content",
    [
        pickle.dumps(OBJECTS),
        (2**62).to_bytes(8, "little") + b"{}",
        (2).to_bytes(8, "little") + b"[]",
        (4).to_bytes(8, "little") + b'{"a"',
        (31).to_bytes(8, "little") + b'{"__metadata__":{"about":"[]"}}',
    ],
)
def test_tensors_that_are_none(content, tmp_path):
    path = tmp_path / "w.safetensors"
    path.write_bytes(content)
    network = keras.Sequential([keras.Input((3,)), keras.layers.Dense(2)])
    with pytest.raises(weights.BackboneWeightsError, match=f"{path} cannot be read"):
        weights.load_weights_file(network, network, path)


def test_nobody_else_reads_what_may_hold_objects():
    """`load_weights` reads what a run or its caller has looked at."""
    found = set()
    for path in sorted(PACKAGE.rglob("*.py")):
        for node in ast.walk(ast.parse(path.read_text(encoding="utf-8"))):
            if isinstance(node, ast.Attribute) and isinstance(node.value, ast.Name):
                found.add((f"{node.value.id}.{node.attr}", path.name))
            if isinstance(node, ast.Attribute) and node.attr == "load_model":
                found.add(("load_model", path.name))
    guarded = {"np.load", "np.fromfile", "h5py.File", "load_model", "pickle.load"}
    guarded |= {"pickle.loads", "joblib.load", "marshal.loads", "yaml.load"}
    assert {each for each in found if each[0] in guarded} == {
        ("np.load", "loading.py"),
        ("h5py.File", "loading.py"),
        ("load_model", "loading.py"),
    }
