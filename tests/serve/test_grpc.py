"""gRPC's answers and refusals, over loopback, of a model that is made up."""

import concurrent.futures
import time

import numpy as np
import pytest
import tensorflow as tf

grpc = pytest.importorskip("grpc")
from tensorflow_serving.apis import (  # noqa: E402
    get_model_metadata_pb2,
    predict_pb2,
    prediction_service_pb2_grpc,
)

from annotator.serve.grpc_service import grpc_server, tensor_rows  # noqa: E402
from annotator.serve.limits import Limits  # noqa: E402
from annotator.serve.predictor import Predictor  # noqa: E402
from annotator.serve.served_model import BrokenInput, Overloaded  # noqa: E402

BYTES = tf.TensorSpec([None], tf.string, "image_bytes")
PIXELS = tf.TensorSpec([None, None, None, 3], tf.uint8, "images")


class Model:
    """Stands for a `ServedModel`: says of an image how long it is."""

    inputs = {"serving_default": BYTES, "pixels": PIXELS}

    def __init__(self):
        self.kept = []

    def submit(self, signature, rows):
        if rows[0] == b"many":
            raise Overloaded("Much waits.", 3)
        futures = [concurrent.futures.Future() for _ in rows]
        for future, row in zip(futures, rows, strict=True):
            if row == b"broken":
                future.set_exception(BrokenInput("no image"))
            elif row == b"fault":
                future.set_exception(RuntimeError("secret"))
            elif row == b"later":
                self.kept.append(future)
            else:
                size = np.float32(len(row) / 3)
                tags = np.array([b"a", b"\xff"], object)
                caption = b"of %d" % len(row)
                future.set_result({"size": size, "tags": tags, "captions": caption})
        return futures


@pytest.fixture(scope="module")
def model():
    return Model()


@pytest.fixture(scope="module", params=[None, "secret"], ids=["open", "token"])
def service(request, model):
    """`(stub, metadata of a call)`."""
    signature = {"inputs": {}, "outputs": {}, "method_name": "predict", "defaults": {}}
    signatures = {"signature_def": {"serving_default": signature}}
    metadata = {"metadata": {"signature_def": signatures}}
    predictor = Predictor("captioner", "7", model, metadata, 4)
    limits = Limits(open_bytes=16 * 2**16)
    server = grpc_server([predictor], "127.0.0.1", 0, limits, request.param)
    port = server.add_insecure_port("127.0.0.1:0")
    server.start()
    with grpc.insecure_channel(f"127.0.0.1:{port}") as channel:
        stub = prediction_service_pb2_grpc.PredictionServiceStub(channel)
        headers = [("authorization", f"Bearer {request.param}")]
        yield stub, headers if request.param else []
    server.stop(0).wait()


def asked(rows, name="image_bytes", signature="", model="captioner"):
    request = predict_pb2.PredictRequest()
    request.model_spec.name = model
    request.model_spec.signature_name = signature
    proto = rows if hasattr(rows, "tensor_shape") else tf.make_tensor_proto(rows)
    request.inputs[name].CopyFrom(proto)
    return request


def refusal(service, request, call="Predict"):
    stub, metadata = service
    with pytest.raises(grpc.RpcError) as raised:
        getattr(stub, call)(request, timeout=60, metadata=metadata)
    return raised.value


def test_a_batch_is_answered(service):
    stub, metadata = service
    result = stub.Predict(asked([b"abc", b"defg"]), timeout=60, metadata=metadata)
    outputs = {name: tf.make_ndarray(value) for name, value in result.outputs.items()}
    assert outputs["captions"].tolist() == [b"of 3", b"of 4"]
    assert outputs["tags"].tolist() == [[b"a", b"\xff"]] * 2
    assert outputs["size"].tolist() == [1, np.float32(4 / 3)]
    assert outputs["size"].dtype == np.float32
    assert (result.model_spec.name, result.model_spec.version.value) == ("captioner", 7)
    assert result.model_spec.signature_name == "serving_default"
    request = asked([b"abc"])
    request.output_filter.append("size")
    request.model_spec.version.value = 7
    result = stub.Predict(request, timeout=60, metadata=metadata)
    assert list(result.outputs) == ["size"]


def test_pixels(service):
    stub, metadata = service
    request = asked(np.zeros((2, 5, 4, 3), np.uint8), "images", "pixels")
    result = stub.Predict(request, timeout=60, metadata=metadata)
    assert tf.make_ndarray(result.outputs["captions"]).tolist() == [b"of 5"] * 2


@pytest.mark.parametrize(
    "request_, code, details",
    [
        (asked([b"x"], model="other"), "NOT_FOUND", "no model other"),
        (asked([b"x"], signature="s"), "INVALID_ARGUMENT", "no signature 's'"),
        (asked([b"x"], "images"), "INVALID_ARGUMENT", "must be image_bytes; got im"),
        (asked([b"x"] * 5), "INVALID_ARGUMENT", "5 images in one request; at most 4"),
        (asked([1.0]), "INVALID_ARGUMENT", "must be string, got float32"),
        (asked([b"x", b"broken"]), "INVALID_ARGUMENT", "Instance 1: no image"),
        (asked([b"many"]), "UNAVAILABLE", "Much waits"),
        (asked([b"fault"]), "INTERNAL", "log says more"),
        (asked([b"x" * 70_000]), "RESOURCE_EXHAUSTED", ""),
    ],
)
def test_refusals_say_why(service, request_, code, details):
    error = refusal(service, request_)
    assert error.code().name == code and details in error.details()
    assert "secret" not in error.details()
    if code == "UNAVAILABLE":
        assert ("grpc-retry-pushback-ms", "3000") in error.trailing_metadata()


def test_other_versions_and_outputs(service):
    request = asked([b"x"])
    request.model_spec.version.value = 8
    assert "version 7 alone" in refusal(service, request).details()
    request.model_spec.version_label = "stable"
    assert refusal(service, request).code() == grpc.StatusCode.NOT_FOUND
    request = asked([b"x"])
    request.output_filter.append("nothing")
    assert "no output 'nothing'" in refusal(service, request).details()


def test_metadata(service):
    stub, metadata = service
    request = get_model_metadata_pb2.GetModelMetadataRequest()
    request.model_spec.name = "captioner"
    error = refusal(service, request, "GetModelMetadata")
    assert error.code() == grpc.StatusCode.INVALID_ARGUMENT
    request.metadata_field.append("signature_def")
    answer = stub.GetModelMetadata(request, timeout=60, metadata=metadata)
    signatures = get_model_metadata_pb2.SignatureDefMap()
    assert answer.metadata["signature_def"].Unpack(signatures)
    assert signatures.signature_def["serving_default"].method_name == "predict"
    assert answer.model_spec.version.value == 7


def test_without_the_token_nothing_is_answered(service):
    stub, metadata = service
    for wrong in ([], [("authorization", "Bearer other")]):
        if not metadata:
            assert stub.Predict(asked([b"x"]), timeout=60, metadata=wrong)
            continue
        error = refusal((stub, wrong), asked([b"x"]))
        assert error.code() == grpc.StatusCode.UNAUTHENTICATED


def test_a_canceled_call_is_not_computed(service, model):
    stub, metadata = service
    model.kept.clear()
    call = stub.Predict.future(asked([b"later"]), timeout=60, metadata=metadata)
    while not model.kept:
        assert not call.done()
        time.sleep(0.01)
    call.cancel()
    (future,) = model.kept
    with pytest.raises(concurrent.futures.CancelledError):
        future.result(60)
    # The server has a thread for the next one.
    assert stub.Predict(asked([b"x"]), timeout=60, metadata=metadata)


@pytest.mark.parametrize(
    "change, reason",
    [
        (lambda p: p.tensor_shape.dim[1].__setattr__("size", 10**9), "hold all"),
        (lambda p: p.tensor_shape.dim[1].__setattr__("size", -1), "one image at least"),
        (lambda p: p.tensor_shape.dim[0].__setattr__("size", 0), "one image at least"),
        (lambda p: p.tensor_shape.Clear(), "one image at least"),
        (lambda p: p.__setattr__("tensor_content", b"abc"), "values, not 3"),
        (lambda p: p.tensor_shape.__setattr__("unknown_rank", True), "at least"),
    ],
)
def test_a_message_that_is_less_than_it_says_costs_nothing(change, reason):
    proto = tf.make_tensor_proto(np.zeros((2, 5, 4, 3), np.uint8))
    assert len(tensor_rows(proto, PIXELS, 4)) == 2
    change(proto)
    with pytest.raises(BrokenInput, match=reason):
        tensor_rows(proto, PIXELS, 4)


def test_a_taken_port_names_its_flag():
    limits = Limits()
    first = grpc_server([], "127.0.0.1", 0, limits)
    port = first.add_insecure_port("127.0.0.1:0")
    with pytest.raises(OSError, match=f"--grpc_port={port}"):
        grpc_server([], "127.0.0.1", port, limits)
    first.stop(0)
