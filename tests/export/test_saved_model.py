"""Exports: equal to the trained model, and loadable without this package."""

import dataclasses
import io
import json
import os
import shutil
import subprocess
import sys

import keras
import numpy as np
import pytest
import tensorflow as tf
from tensorflow.core.protobuf import saved_model_pb2

from annotator.captioner import Vocabulary
from annotator.evaluation.scores import predict_scores
from annotator.export.keras_model import keras_model
from annotator.export.saved_model import image_model, save
from annotator.images.resize import resize_image
from annotator.runs.heads import CAPTIONER, TAGGER
from annotator.runs.run import Run
from annotator.training.captioner import fit as captioner_training
from annotator.training.exports import export_head, export_tagger

CLIENT = """
import json, pathlib, sys
import numpy as np, tensorflow as tf
assert not any(name.split(".")[0] == "annotator" for name in sys.modules)
model = tf.saved_model.load(sys.argv[1])
files = [pathlib.Path(path).read_bytes() for path in sys.argv[2:]]
result = model.signatures["serving_default"](image_bytes=tf.constant(files))
tags = [[tag.decode() for tag in row] for row in result["tags"].numpy()]
numbers = {name: result[name].numpy().tolist() for name in ("scores", "probabilities")}
print(json.dumps({"tags": tags, **numbers}))
"""


@pytest.fixture(scope="module")
def expected(tagger_run, tagger_config):
    """What the model of the training says of the validation images."""
    workdir, _, _ = tagger_run
    tagger = keras.saving.load_model(workdir / "tagger" / "tagger.keras")
    words = json.loads((workdir / "tagger" / "words.json").read_text())
    split = Run(tagger_config, workdir).split(TAGGER, "validation")
    scores = predict_scores(tagger, split, batch_size=6)
    order = np.argsort(-scores, axis=1)[:, : tagger_config.top_k]
    probabilities = Run(tagger_config, workdir).calibration()(scores).numpy()
    return {
        "paths": [f"{name}" for name in split.annotated.image_ids],
        "tags": [[words[i] for i in row] for row in order],
        "scores": np.take_along_axis(scores, order, axis=1),
        "probabilities": np.take_along_axis(probabilities, order, axis=1),
    }


@pytest.fixture
def signatures(tagger_run, load_export):
    """Those of the tagger's SavedModel."""
    return load_export(tagger_run[2][0]).signatures


def test_saved_model_in_a_process_without_annotator(
    tagger_run, image_folder, expected, tmp_path
):
    saved_model = tagger_run[2][0]
    paths = [str(image_folder / name) for name in expected["paths"]]
    variable = "TF_ENABLE_ONEDNN_OPTS"  # the same kernels give the same bits
    kernels = {variable: os.environ[variable]}
    output = subprocess.run(
        [sys.executable, "-c", CLIENT, str(saved_model), *paths],
        cwd=tmp_path,  # so that the package is not importable by accident
        env={**kernels, "TF_CPP_MIN_LOG_LEVEL": "3", "PATH": ""},
        capture_output=True,
        check=True,
        text=True,
    ).stdout
    result = json.loads(output.splitlines()[-1])
    assert result["tags"] == expected["tags"]
    np.testing.assert_array_equal(np.float32(result["scores"]), expected["scores"])
    np.testing.assert_allclose(
        result["probabilities"], expected["probabilities"], rtol=1e-5
    )


@pytest.mark.parametrize("fixture", ["tagger_run", "captioner_run"])
def test_graphs_hold_no_gradients_of_ours(fixture, request):
    # TensorFlow warns of each, whoever loads the model in Python.
    content = saved_model_pb2.SavedModel()
    folder = request.getfixturevalue(fixture)[2][0]
    content.ParseFromString((folder / "saved_model.pb").read_bytes())
    (graph,) = (meta.graph_def for meta in content.meta_graphs)
    nodes = [node for graph in graph.library.function for node in graph.node_def]
    assert len(nodes) > 100
    assert not [node.name for node in nodes if "_gradient_op_type" in node.attr]


def test_pixel_signature_keras_file_and_built_model_say_the_same(
    tagger_run, signatures, image_folder, expected
):
    saved_model, keras_file = tagger_run[2]
    batch = np.stack(
        [
            tf.io.decode_image((image_folder / name).read_bytes()).numpy()
            for name in expected["paths"]
        ]
    )
    served = signatures["pixels"](images=tf.constant(batch))
    predicted = keras.saving.load_model(keras_file).predict(batch, verbose=0)
    built = keras_model(saved_model).predict(batch, verbose=0)
    for result in (served, predicted, built):
        tags = np.asarray(result["tags"]).tolist()
        assert [[tag.decode() for tag in row] for row in tags] == expected["tags"]
        np.testing.assert_array_equal(result["scores"], expected["scores"])
        np.testing.assert_allclose(
            result["probabilities"], expected["probabilities"], rtol=1e-5
        )


def outputs(exported, encoded):
    """What an export says of images, by the way it is asked."""
    saved_model, keras_file = exported
    signatures = tf.saved_model.load(saved_model).signatures
    pixels = np.stack([tf.io.decode_image(image).numpy() for image in encoded])
    return {
        "bytes": signatures["serving_default"](image_bytes=tf.constant(encoded)),
        "pixels": signatures["pixels"](images=tf.constant(pixels)),
        "keras": keras.saving.load_model(keras_file).predict(pixels, verbose=0),
    }


@pytest.mark.slow
def test_a_tagger_on_bfloat16_features_says_the_same(
    tagger_run, tagger_config, image_folder, tmp_path
):
    config = dataclasses.replace(tagger_config, precision="bfloat16")
    shutil.copytree(tagger_run[0] / "tagger", tmp_path / "tagger")
    tagger = keras.saving.load_model(tmp_path / "tagger" / "tagger.keras")
    words = json.loads((tmp_path / "tagger" / "words.json").read_text())
    run = Run(config, tmp_path)
    split = run.split(TAGGER, "validation")
    scores = predict_scores(tagger, split, batch_size=6)
    order = np.argsort(-scores, axis=1)[:, : config.top_k]
    encoded = [(image_folder / i).read_bytes() for i in split.annotated.image_ids]
    for result in outputs(export_tagger(run), encoded).values():
        tags = np.asarray(result["tags"]).tolist()
        assert [[tag.decode() for tag in row] for row in tags] == [
            [words[i] for i in row] for row in order
        ]
        np.testing.assert_array_equal(
            result["scores"], np.take_along_axis(scores, order, axis=1)
        )


@pytest.mark.slow
def test_a_captioner_in_bfloat16_says_the_same(
    captioner_config, image_folder, tmp_path
):
    """Weights drawn at random do as well as trained ones."""
    config = dataclasses.replace(captioner_config, precision="bfloat16")
    run = Run(config, tmp_path)
    split = run.split(CAPTIONER, "validation")
    regions = next(iter(split.regions(6)))
    keras.utils.set_random_seed(21)
    vocabulary = Vocabulary.fit(["a wall of red beside blue", "green all over"])
    captioner = captioner_training.build_captioner(run, vocabulary)
    captioner.build(regions.shape)
    for weight in captioner.trainable_weights:
        weight.assign_add(tf.random.normal(weight.shape, stddev=0.3))
    captioner.standardize(*tf.nn.moments(tf.cast(regions, tf.float32), axes=[0, 1]))
    # As a graph: run op by op, the same sums may be added up in another order.
    expected = tf.function(captioner.generate, autograph=False)(regions)
    assert len(set(expected["captions"].numpy())) > 1
    resizes, backbone = CAPTIONER.views(config), run.backbone(CAPTIONER)
    models = image_model(backbone, resizes, captioner, "captioner")
    served = ("captions", "tokens", "scores")
    exported = save(tmp_path, "captioner", *models, resizes, {}, served)
    encoded = [(image_folder / i).read_bytes() for i in split.annotated.image_ids]
    for way, result in outputs(exported, encoded).items():
        for name in served:
            np.testing.assert_array_equal(result[name], expected[name], way)


def test_features_and_export_resize_as_the_run_is_told(
    tagger_config, image_folder, tmp_path, monkeypatch
):
    """What one convolution makes of images that are resized here by hand."""
    settings = {"aspect": "center_crop", "resize_method": "bicubic"}
    config = dataclasses.replace(
        tagger_config, **settings, flip=False, tap="block1_conv1"
    )
    run = Run(config, tmp_path)
    split = run.split(TAGGER, "validation")
    encoded = [(image_folder / i).read_bytes() for i in split.annotated.image_ids]
    pixels = np.stack([tf.io.decode_image(image).numpy() for image in encoded])
    view = resize_image(pixels, 32, "center_crop", "bicubic")
    backbone = run.backbone(TAGGER)
    expected = np.reshape(backbone(view)["block1_conv1"], [6, -1, 64])
    (regions,) = split.regions(6)
    np.testing.assert_allclose(regions, expected, rtol=1e-3)
    (tmp_path / "tagger").mkdir()
    (tmp_path / "tagger" / "tagger.keras").touch()
    monkeypatch.setattr("annotator.export.saved_model.save", lambda *args: args)
    _, _, model, _, (resize,), *_ = export_head(
        run, TAGGER, lambda regions: {"regions": regions}, ()
    )
    np.testing.assert_array_equal(resize(pixels), view)  # of encoded images
    np.testing.assert_allclose(model(pixels)["regions"], expected, rtol=1e-3)


@pytest.mark.parametrize("fixture", ["tagger_run", "captioner_run"])
def test_a_checkpoint_holds_each_weight_once(fixture, request):
    """Those of the `.keras` file that was asked for."""
    _, _, (saved_model, keras_file) = request.getfixturevalue(fixture)
    model, built = keras.saving.load_model(keras_file), keras_model(saved_model)
    assert [w.path for w in built.weights] == [w.path for w in model.weights]
    for ours, theirs in zip(built.weights, model.weights, strict=True):
        np.testing.assert_array_equal(ours.numpy(), theirs.numpy())
    # Seeds and what the graphs do not read are not exported.
    weights = [w for layer in model.layers for w in layer.weights]
    sizes = {id(w): w.value.numpy().nbytes for w in weights}
    variables = saved_model / "variables" / "variables.data-00000-of-00001"
    assert variables.stat().st_size == pytest.approx(sum(sizes.values()), rel=0.01)


def test_any_batch_and_any_format(signatures, image_folder):
    serve = signatures["serving_default"]
    pixels = tf.io.decode_image((image_folder / "0.png").read_bytes())
    encoded = [tf.io.encode_png(pixels), tf.io.encode_jpeg(pixels, quality=100)]
    wide = tf.io.encode_png(tf.image.resize(pixels, (30, 90), method="nearest"))
    tags = serve(image_bytes=tf.stack([*encoded, wide]))["tags"].numpy()
    # The image shows two colors about alike; which comes first may turn.
    assert {frozenset(row) for row in tags.tolist()} == {frozenset([b"red", b"green"])}
    with pytest.raises(tf.errors.InvalidArgumentError, match="broken byt"):
        serve(image_bytes=tf.constant([encoded[0].numpy(), b"broken bytes"]))


def test_signatures_are_what_a_server_reads(signatures):
    assert set(signatures) == {"serving_default", "pixels"}
    _, inputs = signatures["serving_default"].structured_input_signature
    assert inputs["image_bytes"].dtype == tf.string
    assert inputs["image_bytes"].shape.as_list() == [None]
    assert set(signatures["serving_default"].structured_outputs) == {
        *("tags", "scores", "probabilities"),
    }


def test_an_empty_batch_gives_empty_answers(signatures):
    none = tf.zeros([0], tf.string)
    for result in (
        signatures["serving_default"](image_bytes=none),
        signatures["pixels"](images=tf.zeros([0, 40, 48, 3], tf.uint8)),
    ):
        assert result["tags"].shape == result["scores"].shape == (0, 2)


def test_no_pickle_inside(tagger_run):
    """Every array file of a run opens with pickle switched off."""
    arrays = [p for p in tagger_run[0].rglob("*") if p.suffix in (".npy", ".npz")]
    assert {path.name for path in arrays} >= {
        *("calibration.npz", "held_out.npz", "tags.npz", "teaching.npz", "vectors.npy"),
    }
    for path in arrays:
        loaded = np.load(io.BytesIO(path.read_bytes()), allow_pickle=False)
        for name in getattr(loaded, "files", ()):
            assert loaded[name].dtype != object


@pytest.mark.slow
def test_keras_file_needs_one_import(tagger_run, image_folder):
    code = (
        "import sys, numpy as np, keras, annotator.layers\n"
        "model = keras.saving.load_model(sys.argv[1])\n"
        "images = np.zeros((2, 30, 40, 3), np.uint8)\n"
        "print(model.predict(images, verbose=0)['tags'].shape)\n"
    )
    output = subprocess.run(
        [sys.executable, "-c", code, str(tagger_run[2][1])],
        capture_output=True,
        check=True,
        text=True,
    ).stdout
    assert output.splitlines()[-1] == "(2, 2)"
