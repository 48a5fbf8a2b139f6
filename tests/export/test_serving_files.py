"""TensorFlow Serving's files: its own messages read them, and the model runs them."""

import re

import pytest
import tensorflow as tf
from google.protobuf import text_format
from tensorflow_serving.apis import prediction_log_pb2
from tensorflow_serving.config import model_server_config_pb2

from annotator.export import serving_files


def test_warmup_request_runs_through_the_model(tagger_run, load_export, tmp_path):
    path = serving_files.write_warmup(tmp_path, "tagger", "serving_default")
    assert path == tmp_path / "assets.extra" / "tf_serving_warmup_requests"
    assert [entry.name for entry in path.parent.iterdir()] == [path.name]
    (record,) = tf.data.TFRecordDataset(str(path)).as_numpy_iterator()
    log = prediction_log_pb2.PredictionLog.FromString(record)
    assert log.WhichOneof("log_type") == "predict_log"
    request = log.predict_log.request
    assert request.model_spec.name == "tagger"
    inputs = {name: tf.make_ndarray(x) for name, x in request.inputs.items()}
    signature = load_export(tagger_run[2][0]).signatures[
        request.model_spec.signature_name
    ]
    outputs = signature(**{k: tf.constant(v) for k, v in inputs.items()})
    assert outputs["tags"].shape == (1, 2)
    (encoded,) = inputs["image_bytes"]
    assert tf.io.decode_jpeg(encoded).shape == (224, 224, 3)


def test_warmup_is_the_same_each_time_and_read_back(tmp_path):
    paths = [serving_files.write_warmup(tmp_path / x, "captioner") for x in "ab"]
    assert paths[0].read_bytes() == paths[1].read_bytes()
    ((signature, inputs),) = serving_files.read_warmup(tmp_path / "a")
    assert signature == "serving_default"
    assert list(inputs) == ["image_bytes"] and inputs["image_bytes"].shape == (1,)
    assert serving_files.read_warmup(tmp_path / "c") == []


def test_models_config_names_what_was_exported(tmp_path):
    for version in ("tagger/1", "tagger/2", "captioner/1", ".77.tagger", "notes"):
        (tmp_path / version).mkdir(parents=True)
        (tmp_path / version / "saved_model.pb").touch()
    paths = serving_files.write_config(tmp_path, base_path="/srv/models/")
    assert [path.name for path in paths] == ["models.config", "batching_parameters.txt"]
    config = text_format.Parse(
        paths[0].read_text(), model_server_config_pb2.ModelServerConfig()
    )
    assert [
        (model.name, model.base_path, model.model_platform)
        for model in config.model_config_list.config
    ] == [
        ("captioner", "/srv/models/captioner", "tensorflow"),
        ("tagger", "/srv/models/tagger", "tensorflow"),
    ]


def test_batching_parameters_have_the_form_and_names_of_the_server(tmp_path):
    (tmp_path / "tagger" / "1").mkdir(parents=True)
    (tmp_path / "tagger" / "1" / "saved_model.pb").touch()
    _, path = serving_files.write_config(tmp_path)
    lines = [x for x in path.read_text().splitlines() if not x.startswith("#")]
    found = [re.fullmatch(r"(\w+) \{ value: (\d+) \}", line) for line in lines]
    # Fields of BatchingParameters that hold an Int64Value.
    assert {match[1] for match in found} == {
        "max_batch_size",
        "batch_timeout_micros",
        "max_enqueued_batches",
    }
    assert all(int(match[2]) > 0 for match in found)


def test_config_of_an_empty_folder_is_refused(tmp_path):
    with pytest.raises(FileNotFoundError, match="holds no exported model"):
        serving_files.write_config(tmp_path)
    assert not list(tmp_path.iterdir())
