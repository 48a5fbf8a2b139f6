"""Exports where no Python is: TensorFlow's C++ loader; and its command-line tool."""

import pathlib
import shutil
import subprocess
import sys

import numpy as np
import pytest
import tensorflow as tf
from PIL import Image
from tensorflow.core.protobuf import saved_model_pb2

SOURCE = pathlib.Path(__file__).parent / "saved_model_client.cc"
TENSORFLOW = pathlib.Path(tf.__file__).parent


@pytest.fixture(scope="module")
def client(tmp_path_factory):
    """The compiled `saved_model_client.cc`; about a quarter of a minute's work."""
    if shutil.which("g++") is None:
        pytest.skip("there is no g++")
    if not (TENSORFLOW / "libtensorflow_cc.so.2").is_file():
        pytest.skip(f"no libtensorflow_cc.so.2 in {TENSORFLOW}")
    program = tmp_path_factory.mktemp("cpp") / "saved_model_client"
    command = ["g++", "-std=c++17", "-O0", "-w", SOURCE, "-o", program]
    command += [f"-I{TENSORFLOW / 'include'}", f"-L{TENSORFLOW}", "-Wl,--no-as-needed"]
    command += ["-l:libtensorflow_cc.so.2", "-l:libtensorflow_framework.so.2"]
    command += [f"-Wl,-rpath,{TENSORFLOW}"]
    compiled = subprocess.run(command, capture_output=True, text=True)
    assert compiled.returncode == 0, compiled.stderr
    return program


@pytest.fixture(scope="module")
def jpegs(image_folder, tmp_path_factory):
    """Ten JPEG files of different sizes."""
    folder = tmp_path_factory.mktemp("jpegs")
    paths = []
    for i in range(10):
        paths.append(folder / f"photo {i}.jpg")
        with Image.open(image_folder / f"{i}.png") as image:
            image.convert("RGB").resize((40 + 8 * i, 60)).save(paths[-1])
    return paths


def run(client, export, signature, paths):
    """Outputs by name: lists of text, or float arrays with their shape."""
    result = subprocess.run(
        [client, export, signature, *paths], capture_output=True, text=True
    )
    if result.returncode:
        raise RuntimeError(result.stderr)
    outputs = {}
    for line in result.stdout.splitlines():
        name, shape, *values = line.split("\t")
        shape = [int(size) for size in shape.split("x")]
        outputs[name] = np.array(values, dtype=object).reshape(shape)
    return outputs


def assert_same(outputs, expected):
    """Text and whole numbers are equal, floats to rounding."""
    assert set(outputs) == set(expected)
    for name, value in expected.items():
        value = value.numpy()
        assert outputs[name].shape == value.shape
        if value.dtype == object:
            assert outputs[name].tolist() == np.vectorize(bytes.decode)(value).tolist()
        elif value.dtype.kind == "i":
            np.testing.assert_array_equal(outputs[name].astype(int), value)
        else:
            found = outputs[name].astype(np.float32)
            np.testing.assert_allclose(found, value, rtol=1e-3, atol=1e-5)


def test_a_session_says_what_python_says(tagger_run, load_export, jpegs):
    """Both programs read the graph alone, as a session does, and no Python objects."""
    export = tagger_run[2][0]
    contents = [path.read_bytes() for path in jpegs[:2]]
    signature = load_export(export).signatures["serving_default"]
    expected = signature(image_bytes=tf.constant(contents))
    with tf.Graph().as_default(), tf.compat.v1.Session() as session:
        loaded = tf.compat.v1.saved_model.load(session, ["serve"], str(export))
        signature = loaded.signature_def["serving_default"]
        outputs = {name: info.name for name, info in signature.outputs.items()}
        given = signature.inputs["image_bytes"].name
        found = session.run(outputs, {given: contents})
        reason = "Not a JPEG.*not a pict"
        with pytest.raises(tf.errors.InvalidArgumentError, match=reason):
            session.run(outputs, {given: [contents[0], b"not a picture"]})
    assert found.keys() == expected.keys()
    np.testing.assert_array_equal(found.pop("tags"), expected["tags"])
    for name, values in found.items():
        np.testing.assert_allclose(values, expected[name], rtol=1e-3, atol=1e-5)


@pytest.mark.slow
def test_cpp_program_says_what_python_says(client, tagger_run, captioner_run, jpegs):
    contents = tf.constant([path.read_bytes() for path in jpegs])
    for (export, _), signatures in (
        (tagger_run[2], ["serving_default"]),
        (captioner_run[2], ["serving_default", "details"]),
    ):
        model = tf.saved_model.load(export)
        for signature in signatures:
            expected = model.signatures[signature](image_bytes=contents)
            assert_same(run(client, export, signature, jpegs), expected)


@pytest.mark.slow
def test_cpp_program_gets_the_reason_of_a_broken_image(
    client, tagger_run, jpegs, tmp_path
):
    (tmp_path / "text.jpg").write_text("not a picture")
    with pytest.raises(RuntimeError, match="INVALID_ARGUMENT.*Not a JPEG.*not a pict"):
        run(
            client,
            tagger_run[2][0],
            "serving_default",
            [jpegs[0], tmp_path / "text.jpg"],
        )


@pytest.mark.slow
def test_cpp_loader_runs_graphs_that_ask_for_xla(client, jpegs, tmp_path):
    """The wheel's libraries can; exports do not rely on it, for a server may not."""

    class Lengths(tf.Module):
        @tf.function(jit_compile=True, autograph=False)
        def halved(self, lengths):
            return lengths / 2

        @tf.function(
            input_signature=[tf.TensorSpec([None], tf.string, "image_bytes")],
            autograph=False,
        )
        def serve(self, image_bytes):
            lengths = tf.cast(tf.strings.length(image_bytes), tf.float32)
            return {"halved": self.halved(lengths)}

    module = Lengths()
    tf.saved_model.save(module, str(tmp_path), signatures=module.serve)
    outputs = run(client, tmp_path, "serving_default", jpegs[:2])
    expected = [len(path.read_bytes()) / 2 for path in jpegs[:2]]
    np.testing.assert_allclose(outputs["halved"].astype(np.float32), expected)


CLI = (
    "import sys; from tensorflow.python.tools import saved_model_cli; "
    "sys.exit(saved_model_cli.main())"
)


def run_cli(export, signature, inputs):
    """What `saved_model_cli run` prints; it is looked up by module, not in the PATH."""
    command = [sys.executable, "-c", CLI, "run", f"--dir={export}", "--tag_set=serve"]
    command += [f"--signature_def={signature}", f"--inputs={inputs}"]
    result = subprocess.run(command, capture_output=True, text=True)
    assert result.returncode == 0, result.stderr
    return result.stdout


SIGNATURES = [
    ("tagger", "serving_default"),
    ("tagger", "pixels"),
    ("captioner", "serving_default"),
    ("captioner", "pixels"),
    ("captioner", "details"),
]


@pytest.mark.slow
@pytest.mark.parametrize(("task", "signature"), SIGNATURES)
def test_saved_model_cli_runs(
    task, signature, tagger_run, captioner_run, jpegs, tmp_path
):
    export = {"tagger": tagger_run, "captioner": captioner_run}[task][2][0]
    function = tf.saved_model.load(export).signatures[signature]
    if signature == "pixels":
        name, batch = "images", tf.io.decode_jpeg(jpegs[0].read_bytes())[None].numpy()
    else:
        name, batch = "image_bytes", np.array([path.read_bytes() for path in jpegs[:2]])
    np.save(tmp_path / "batch.npy", batch)
    printed = run_cli(export, signature, f"{name}={tmp_path / 'batch.npy'}")
    expected = function(**{name: tf.constant(batch)})
    for output in expected:
        assert f"Result for output key {output}:" in printed
    texts = expected["tags" if task == "tagger" else "captions"].numpy().ravel()
    assert all(repr(text) in printed for text in texts)


def test_all_signatures_are_run(tagger_run, captioner_run):
    found = []
    for task, run_of_task in (("tagger", tagger_run), ("captioner", captioner_run)):
        content = (run_of_task[2][0] / "saved_model.pb").read_bytes()
        (graph,) = saved_model_pb2.SavedModel.FromString(content).meta_graphs
        found += [(task, name) for name in graph.signature_def if name[0] != "_"]
    assert sorted(found) == sorted(SIGNATURES)
