"""Files that TensorFlow Serving reads: warm-up requests and settings."""

import os
import pathlib
from typing import Any

import numpy as np
import tensorflow as tf
from google.protobuf import json_format, text_format
from tensorflow.core.protobuf import saved_model_pb2
from tensorflow_serving.apis import (
    get_model_metadata_pb2,
    predict_pb2,
    prediction_log_pb2,
)
from tensorflow_serving.config import model_server_config_pb2

from annotator import files

WARMUP = pathlib.PurePath("assets.extra", "tf_serving_warmup_requests")
MODELS_CONFIG = "models.config"
BATCHING_PARAMETERS = "batching_parameters.txt"

# `BatchingParameters` of tensorflow_serving/servables/tensorflow, whose Python form is
# in no wheel. What is left out, the number of threads, follows the cores.
_BATCHING = """\
# Requests that arrive within the timeout are computed together. An image that cannot
# be read fails all of them: leave batching off where that may happen.
max_batch_size { value: 32 }
batch_timeout_micros { value: 5000 }
max_enqueued_batches { value: 64 }
"""


def write_warmup(
    version_folder: str | os.PathLike,
    model_name: str,
    signature: str = "serving_default",
) -> pathlib.Path:
    """Writes the request that TensorFlow Serving runs before it serves a model.

    Without it, the first user waits for what is only set up when the graph first runs.
    The image is drawn.

    Args:
        version_folder: Folder of the SavedModel.
        model_name: Name of the served model.
        signature: A signature that takes `image_bytes`, string `[batch]`.

    Returns:
        The path written, `assets.extra/tf_serving_warmup_requests`, a TFRecord file of
        `PredictionLog` messages as
        https://www.tensorflow.org/tfx/serving/saved_model_warmup asks for.
    """
    request = _predict_request(model_name, [_drawn_jpeg()], signature)
    log = prediction_log_pb2.PredictionLog(
        predict_log=prediction_log_pb2.PredictLog(request=request)
    )
    path = pathlib.Path(version_folder) / WARMUP
    with files.atomic_path(path) as temporary:
        with tf.io.TFRecordWriter(str(temporary)) as writer:
            writer.write(log.SerializeToString(deterministic=True))
    return path


def read_warmup(
    version_folder: str | os.PathLike,
) -> list[tuple[str, dict[str, np.ndarray]]]:
    """The warm-up requests of a SavedModel, none if it has no such file.

    Args:
        version_folder: Folder of the SavedModel.

    Returns:
        List of `(signature, inputs)`, where `inputs` is a dict of arrays by name.
    """
    path = pathlib.Path(version_folder) / WARMUP
    if not path.is_file():
        return []
    requests = []
    for record in tf.data.TFRecordDataset(str(path)).as_numpy_iterator():
        log = prediction_log_pb2.PredictionLog.FromString(record)
        request = log.predict_log.request
        inputs = {
            name: tf.make_ndarray(tensor) for name, tensor in request.inputs.items()
        }
        requests.append((request.model_spec.signature_name, inputs))
    return requests


def read_metadata(version_folder: str | os.PathLike, model_name: str) -> dict[str, Any]:
    """TensorFlow Serving's answer to `GET /v1/models/NAME/metadata`.

    Args:
        version_folder: Folder of the SavedModel, named by its version.
        model_name: Name of the served model.

    Returns:
        A JSON-ready dict with `model_spec` and, in `metadata`, names, dtypes and shapes
        of the inputs and outputs of all signatures. See
        https://www.tensorflow.org/tfx/serving/api_rest, "Model Metadata API".
    """
    folder = pathlib.Path(version_folder)
    saved = saved_model_pb2.SavedModel.FromString(
        (folder / "saved_model.pb").read_bytes()
    )
    signatures = get_model_metadata_pb2.SignatureDefMap()
    for name, signature in saved.meta_graphs[0].signature_def.items():
        signatures.signature_def[name].CopyFrom(signature)
    metadata = json_format.MessageToDict(
        signatures,
        preserving_proto_field_name=True,
        always_print_fields_with_no_presence=True,
    )
    return {
        "model_spec": {
            "name": model_name,
            "signature_name": "",
            "version": folder.name,
        },
        "metadata": {"signature_def": metadata},
    }


def write_config(
    export_folder: str | os.PathLike, base_path: str = "/models"
) -> tuple[pathlib.Path, pathlib.Path]:
    """Writes TensorFlow Serving's settings for all models of an export folder.

    Args:
        export_folder: A workdir's `export` folder, which holds one folder a model.
        base_path: Where the server sees `export_folder`.

    Returns:
        The paths written: `models.config`, for `--model_config_file`, and
        `batching_parameters.txt`, for `--batching_parameters_file`.

    Raises:
        FileNotFoundError: When no model was exported there.
    """
    folder = pathlib.Path(export_folder)
    names = sorted(entry.name for entry in folder.glob("*") if _has_version(entry))
    if not names:
        raise FileNotFoundError(f"{folder} holds no exported model: train one first.")
    config = model_server_config_pb2.ModelServerConfig()
    for name in names:
        config.model_config_list.config.add(
            name=name,
            base_path=f"{base_path.rstrip('/')}/{name}",
            model_platform="tensorflow",
        )
    models_config = folder / MODELS_CONFIG
    batching_parameters = folder / BATCHING_PARAMETERS
    files.write_text(models_config, text_format.MessageToString(config))
    files.write_text(batching_parameters, _BATCHING)
    return models_config, batching_parameters


def _predict_request(model_name, encoded_images, signature):
    request = predict_pb2.PredictRequest()
    request.model_spec.name = model_name
    request.model_spec.signature_name = signature
    tensor = tf.make_tensor_proto(encoded_images, tf.string, [len(encoded_images)])
    request.inputs["image_bytes"].CopyFrom(tensor)
    return request


def _has_version(folder):
    versions = folder.glob("[0-9]*")
    return any((version / "saved_model.pb").is_file() for version in versions)


def _drawn_jpeg(side=224):
    """A disc before a shaded background, as the bytes of a JPEG file."""
    y, x = np.mgrid[0:side, 0:side] / side
    pixels = 255 * np.stack([x, y, 1 - x], axis=-1)
    pixels[(x - 0.5) ** 2 + (y - 0.5) ** 2 < 0.1] = (230, 40, 40)
    return tf.io.encode_jpeg(pixels.astype(np.uint8)).numpy()
