"""TensorFlow Serving's gRPC form of a prediction, beside its REST form."""

import concurrent.futures
import contextlib
import hmac
import logging
import os
import pathlib
from collections.abc import Iterator, Sequence
from typing import Any, NoReturn

import grpc
import numpy as np
import tensorflow as tf
from google.protobuf import json_format
from tensorflow_serving.apis import (
    get_model_metadata_pb2,
    predict_pb2,
    prediction_service_pb2_grpc,
)

from annotator.serve.limits import Limits
from annotator.serve.predictor import Predictor, array_row
from annotator.serve.served_model import BrokenInput, Overloaded

# Calls at a time; each may hold a message. More are refused before theirs is read.
_CALLS = 16
_DEFAULT = "serving_default"
_METADATA = "signature_def"
# Where a message holds numbers one by one.
_NUMBERS = (
    *("half_val", "float_val", "double_val", "int_val", "int64_val", "bool_val"),
    *("uint32_val", "uint64_val"),
)
# gRPC's clients wait so long before they try again, if they are told to try.
_PUSHBACK = "grpc-retry-pushback-ms"


class PredictionService(prediction_service_pb2_grpc.PredictionServiceServicer):
    """Answers `Predict` and `GetModelMetadata`; the other calls are not implemented.

    A request names a model and a signature, by default `serving_default`, and holds its
    one input, `[batch, ...]`. Where one image of it is broken the call fails, as it
    does in TensorFlow Serving: `INVALID_ARGUMENT`. `UNAVAILABLE` may be tried again.

    Args:
        models: The models.
        token: A bearer token that calls must have as `authorization` in their metadata;
            `None` for none.
    """

    def __init__(self, models: Sequence[Predictor], token: str | None = None) -> None:
        self.models = {model.name: model for model in models}
        self._token = None if token is None else f"Bearer {token}".encode()

    def Predict(
        self, request: predict_pb2.PredictRequest, context: grpc.ServicerContext
    ) -> predict_pb2.PredictResponse:
        """Predictions of a batch of images."""
        model = self._model(request.model_spec, context)
        signature = request.model_spec.signature_name or _DEFAULT
        if signature not in model.model.inputs:
            _refuse(
                context,
                f"The model {model.name} has no signature {signature!r}, only "
                f"{', '.join(sorted(model.model.inputs))}.",
            )
        spec = model.model.inputs[signature]
        if set(request.inputs) != {spec.name}:
            given = ", ".join(sorted(request.inputs)) or "nothing"
            _refuse(context, f"The input must be {spec.name}; got {given}.")
        with _told(context):
            rows = tensor_rows(request.inputs[spec.name], spec, model.max_instances)
        answers = self._computed(model, signature, rows, context)
        names = list(request.output_filter) or sorted(answers[0])
        response = predict_pb2.PredictResponse()
        response.model_spec.name = model.name
        response.model_spec.version.value = int(model.version)
        response.model_spec.signature_name = signature
        for name in names:
            if name not in answers[0]:
                outputs = ", ".join(sorted(answers[0]))
                _refuse(context, f"There is no output {name!r}, only {outputs}.")
            column = _stacked([answer[name] for answer in answers])
            response.outputs[name].CopyFrom(column)
        return response

    def GetModelMetadata(
        self,
        request: get_model_metadata_pb2.GetModelMetadataRequest,
        context: grpc.ServicerContext,
    ) -> get_model_metadata_pb2.GetModelMetadataResponse:
        """Names, dtypes and shapes of what a model's signatures take and give."""
        model = self._model(request.model_spec, context)
        if list(request.metadata_field) != [_METADATA]:
            _refuse(context, f'"metadata_field" must be ["{_METADATA}"].')
        signatures = get_model_metadata_pb2.SignatureDefMap()
        json_format.ParseDict(model.metadata["metadata"][_METADATA], signatures)
        response = get_model_metadata_pb2.GetModelMetadataResponse()
        response.model_spec.name = model.name
        response.model_spec.version.value = int(model.version)
        response.metadata[_METADATA].Pack(signatures)
        return response

    def _model(self, spec, context):
        """The model that a call names, if it may be called."""
        if self._token is not None:
            told = dict(context.invocation_metadata()).get("authorization", "")
            if not hmac.compare_digest(str(told).encode(), self._token):
                context.abort(
                    grpc.StatusCode.UNAUTHENTICATED,
                    "This server wants its token: authorization: Bearer TOKEN.",
                )
        model = self.models.get(spec.name)
        if model is None:
            reason = f"There is no model {spec.name} here."
            context.abort(grpc.StatusCode.NOT_FOUND, reason)
        named = spec.WhichOneof("version_choice") is not None
        if named and str(spec.version.value) != model.version:
            context.abort(
                grpc.StatusCode.NOT_FOUND,
                f"Of {spec.name} there is the version {model.version} alone.",
            )
        return model

    def _computed(self, model, signature, rows, context):
        """A dict of a row of each output, for each row of the input."""
        with _told(context):
            futures = model.model.submit(signature, rows)

        def cancel():
            for future in futures:
                future.cancel()

        # The client went, or its time is over: what waits is not computed.
        if not context.add_callback(cancel):
            cancel()
        answers = []
        for index, future in enumerate(futures):
            with _told(context, f"Instance {index}: "):
                answers.append(future.result())
        return answers


def tensor_rows(
    proto: tf.compat.v1.TensorProto, spec: tf.TensorSpec, most: int
) -> list[bytes | np.ndarray]:
    """The rows of a tensor that somebody sent.

    Args:
        proto: The message.
        spec: The tensor that is wanted, `[batch, ...]`.
        most: How many rows are taken.

    Returns:
        `bytes`, or arrays without the batch.

    Raises:
        BrokenInput: When the message is no such tensor.
    """
    shape = [dimension.size for dimension in proto.tensor_shape.dim]
    rows = shape[0] if shape else 0
    if proto.tensor_shape.unknown_rank or rows < 1 or min(shape) < 0:
        raise BrokenInput(f"{spec.name} must be of one image at least, got {shape}.")
    if rows > most:
        raise BrokenInput(f"{rows} images in one request; at most {most} are taken.")
    if proto.dtype != spec.dtype.as_datatype_enum:
        name = tf.dtypes.as_dtype(proto.dtype).name
        raise BrokenInput(f"{spec.name} must be {spec.dtype.name}, got {name}.")
    count = int(np.prod(shape, dtype=object))
    if spec.dtype == tf.string:
        if len(shape) != 1 or len(proto.string_val) != count:
            raise BrokenInput(
                f"{spec.name} must be [batch] strings, the content of image files."
            )
        return list(proto.string_val)
    values = max(len(getattr(proto, field)) for field in _NUMBERS)
    held = len(proto.tensor_content) // spec.dtype.size or values
    # TensorFlow fills up what is short with the last value: a few bytes could ask for
    # any amount of memory.
    if held != count:
        raise BrokenInput(f"{spec.name} must hold all its {count} values, not {held}.")
    return [array_row(row, spec) for row in tf.make_ndarray(proto)]


def grpc_server(
    models: Sequence[Predictor],
    host: str,
    port: int,
    limits: Limits,
    token: str | None = None,
    certificate: str | os.PathLike | None = None,
    key: str | os.PathLike | None = None,
) -> grpc.Server:
    """Makes a server that listens, and answers once it is started.

    Args:
        models: The models.
        host: Address to listen at.
        port: The port; 0 for any that is free.
        limits: Limits of requests: all calls together hold `open_bytes` at most.
        token: As of `PredictionService`.
        certificate: File of a TLS certificate (PEM); `None` for no TLS.
        key: File of its private key.

    Raises:
        OSError: When the port cannot be had.
    """
    largest = min(limits.body_bytes, limits.open_bytes // _CALLS)
    server = grpc.server(
        concurrent.futures.ThreadPoolExecutor(_CALLS, "grpc"),
        maximum_concurrent_rpcs=_CALLS,
        options=[
            ("grpc.max_receive_message_length", largest),
            ("grpc.max_metadata_size", limits.header_bytes),
            ("grpc.so_reuseport", 0),  # of two servers one must be told
        ],
    )
    service = PredictionService(models, token)
    prediction_service_pb2_grpc.add_PredictionServiceServicer_to_server(service, server)
    address = f"[{host}]:{port}" if ":" in host else f"{host}:{port}"
    try:
        if certificate is None or key is None:
            server.add_insecure_port(address)
        else:
            pair = (
                pathlib.Path(key).read_bytes(),
                pathlib.Path(certificate).read_bytes(),
            )
            server.add_secure_port(address, grpc.ssl_server_credentials([pair]))
    except RuntimeError as error:
        raise OSError(f"--grpc_port={port} cannot be had: name another.") from error
    return server


@contextlib.contextmanager
def _told(context: grpc.ServicerContext, where: str = "") -> Iterator[None]:
    """Tells the client of what goes wrong, with the code that says who is to blame."""
    try:
        yield
    except BrokenInput as error:
        _refuse(context, f"{where}{error}")
    except Overloaded as error:
        context.set_trailing_metadata([(_PUSHBACK, str(1000 * error.seconds))])
        context.abort(grpc.StatusCode.UNAVAILABLE, f"{where}{error}")
    except concurrent.futures.CancelledError:
        context.abort(grpc.StatusCode.CANCELLED, "The call was canceled.")
    except Exception as error:
        logging.error("a fault", exc_info=error)
        reason = "A fault of the server; its log says more."
        context.abort(grpc.StatusCode.INTERNAL, reason)


def _refuse(context: grpc.ServicerContext, reason: str) -> NoReturn:
    context.abort(grpc.StatusCode.INVALID_ARGUMENT, reason)
    raise AssertionError  # `abort` has raised


def _stacked(values: list[Any]) -> tf.compat.v1.TensorProto:
    """A tensor of the rows of an output."""
    array = np.array(values, object if isinstance(values[0], bytes) else None)
    return tf.make_tensor_proto(array)
