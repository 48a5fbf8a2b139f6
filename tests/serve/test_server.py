"""The web server: its answers are the models', and nothing a client sends ends it."""

import base64
import concurrent.futures
import importlib.util
import io
import json

import numpy as np
import pytest
import tensorflow as tf
from PIL import Image

from annotator.images.decode import decode_image

pytestmark = pytest.mark.skipif(
    importlib.util.find_spec("uvicorn") is None,
    reason='uvicorn is not installed: pip install ".[serve]"',
)
COUNT = 80  # of requests, 8 at a time


def assert_same(prediction, expected):
    """Words are equal; numbers may differ as they do between batch sizes."""
    assert set(prediction) == set(expected)
    for name, value in expected.items():
        if np.asarray(value).dtype.kind == "f":
            np.testing.assert_allclose(prediction[name], value, rtol=1e-3, atol=1e-4)
        else:
            text = np.vectorize(bytes.decode, otypes=[object])(value)
            assert prediction[name] == text.tolist()


@pytest.mark.parametrize("task", ["tagger", "captioner"])
def test_answers_are_pythons(server, contents, expected, task):
    status, answer = server.predict(task, contents)
    assert status == 200 and list(answer) == ["predictions"]
    assert len(answer["predictions"]) == len(contents)
    for prediction, each in zip(answer["predictions"], expected[task], strict=True):
        assert_same(prediction, each)


@pytest.mark.parametrize("task", ["tagger", "captioner"])
def test_grpc_rest_and_python_say_the_same_to_the_bit(server, contents, models, task):
    """The client is that of docs/serving.md."""
    import grpc
    from tensorflow_serving.apis import predict_pb2, prediction_service_pb2_grpc

    request = predict_pb2.PredictRequest()
    request.model_spec.name = task
    request.inputs["image_bytes"].CopyFrom(tf.make_tensor_proto(contents[:1]))
    with grpc.insecure_channel(f"localhost:{server.grpc_port}") as channel:
        service = prediction_service_pb2_grpc.PredictionServiceStub(channel)
        result = service.Predict(request, timeout=120)
    signature = models[task].signatures["serving_default"]
    expected = signature(image_bytes=tf.constant(contents[:1]))
    _, answer = server.predict(task, contents[:1])
    (rest,) = answer["predictions"]
    assert set(result.outputs) == set(expected) == set(rest)
    for name, value in expected.items():
        got = tf.make_ndarray(result.outputs[name])
        assert got.dtype == value.numpy().dtype and got.shape == value.shape
        np.testing.assert_array_equal(got, value.numpy())
        if value.dtype == tf.string:
            got = np.vectorize(bytes.decode, otypes=[object])(got)
            assert rest[name] == (got[0].tolist() if got.ndim > 1 else got[0])
        else:
            np.testing.assert_array_equal(got[0], np.array(rest[name], got.dtype))


def test_forms_of_a_request(server, contents, expected):
    encoded = {"b64": base64.b64encode(contents[3]).decode()}
    body = json.dumps({"instances": [{"image_bytes": encoded}, encoded]})
    for content_type in ("application/json", "application/x-www-form-urlencoded"):
        headers = {"Content-Type": content_type}
        path = "/v1/models/tagger:predict"
        status, answer = server.request("POST", path, body, headers)
        assert status == 200
        for prediction in answer["predictions"]:
            assert_same(prediction, expected["tagger"][3])


def test_requests_by_columns(server, contents, expected):
    path = "/v1/models/tagger:predict"
    encoded = [{"b64": base64.b64encode(x).decode()} for x in contents[:3]]
    broken = [encoded[0], {"b64": ""}, encoded[2]]
    for form in (lambda x: x, lambda x: {"image_bytes": x}):
        status, answer = server.request(
            "POST", path, json.dumps({"inputs": form(encoded)})
        )
        assert status == 200 and list(answer) == ["outputs"]
        for index in range(3):
            row = {name: column[index] for name, column in answer["outputs"].items()}
            assert_same(row, expected["tagger"][index])
        status, answer = server.request(
            "POST", path, json.dumps({"inputs": form(broken)})
        )
        assert status == 400 and answer["error"].startswith("Instance 1: ")
        for column in answer["outputs"].values():
            assert [value is None for value in column] == [False, True, False]
    status, answer = server.request("POST", path, json.dumps({"inputs": [7]}))
    assert status == 400 and answer["outputs"] == {} and len(answer["errors"]) == 1


def test_other_signatures(server, contents, expected):
    pixels = tf.io.decode_image(contents[5]).numpy().tolist()
    for instance in (pixels, {"images": pixels}):
        status, answer = server.predict("tagger", [instance], signature_name="pixels")
        assert status == 200
        assert_same(answer["predictions"][0], expected["tagger"][5])
    flat, small = [[1, 2, 3]], [[[1, 2, 256]]]
    status, answer = server.predict(
        "tagger", [flat, small, [[[1], [2, 3]]], "x", [[]]], signature_name="pixels"
    )
    assert status == 400 and len(answer["errors"]) == 5
    status, answer = server.predict("tagger", contents[:1], signature_name="other")
    assert status == 400
    assert "no signature 'other', only pixels, serving_default" in answer["error"]


def test_broken_bytes_are_named_and_the_others_answered(server, contents, expected):
    batch = [contents[0], b"broken bytes", contents[1], {"b64": "?"}, 7, contents[2]]
    status, answer = server.predict("captioner", batch)
    assert status == 400
    assert answer["error"].startswith("Instance 1: ")
    assert "broken bytes" in answer["error"] and "2 more" in answer["error"]
    assert [error["instance"] for error in answer["errors"]] == [1, 3, 4]
    assert "not base64" in answer["errors"][1]["error"]
    assert '{"b64": "..."}' in answer["errors"][2]["error"]
    for index, prediction in enumerate(answer["predictions"]):
        if index in (1, 3, 4):
            assert prediction is None
        else:
            assert_same(prediction, expected["captioner"][(0, None, 1, 3, 4, 2)[index]])


@pytest.mark.parametrize(
    ("body", "error"),
    [
        (b"", "not JSON"),
        (b'{"instances": [', "not JSON"),
        (b"\xff\xfe\x00", "not JSON"),
        (b"[" * 100_000, "not JSON"),
        (b"[1, 2]", "JSON object"),
        (b"{}", "JSON object"),
        (b'{"instances": []}', "at least one"),
        (b'{"instances": {"b64": ""}}', "list"),
        (b'{"inputs": {"image_bytes": []}}', "at least one"),
        (b'{"inputs": {"b64": ""}}', '{"image_bytes": [...]}'),
        (b'{"inputs": [1], "instances": [1]}', "either"),
        (b'{"instances": [1], "signature_name": ["x"]}', "no signature"),
        (b'{"instances": [' + b"1, " * 40 + b"1]}", "at most 40"),
    ],
)
def test_wrong_requests_are_refused_with_the_reason(server, body, error):
    path = "/v1/models/tagger:predict"
    headers = {"Content-Type": "application/x-www-form-urlencoded"}  # as curl says
    status, answer = server.request("POST", path, body, headers)
    assert status == 400 and error in answer["error"]
    headers = {"Content-Type": "application/json"}
    assert server.request("POST", path, body, headers) == (status, answer)


def test_too_large_request_is_refused(server):
    path = "/v1/models/tagger:predict"
    for size in (2**20 + 1, 12 * 2**20):
        # A client that reads nothing before all is sent gets its answer, too.
        status, answer = server.request("POST", path, b"x" * size)
        assert status == 413 and answer["error"].endswith(f"at most {2**20} bytes.")
    # The same without a length declared beforehand.
    chunks = iter([b"x" * 2**19] * 3)
    assert server.request("POST", path, chunks)[0] == 413
    assert server.request("POST", path, b"x" * 2**20)[0] == 400


def test_status_and_unknown_models(server, tagger_run):
    status, answer = server.request("GET", "/v1/models/tagger")
    assert status == 200
    (version,) = answer["model_version_status"]
    assert version["version"] == tagger_run[2][0].name
    assert version["state"] == "AVAILABLE"
    assert server.request("GET", "/v1/models")[1] == {"models": ["captioner", "tagger"]}
    for method, path in (("GET", "other"), ("POST", "other:predict")):
        status, answer = server.request(method, f"/v1/models/{path}", b"{}")
        assert status == 404 and "other" in answer["error"]


def test_metadata(server, captioner_run, models):
    """The form is that of TensorFlow Serving's documentation."""
    folder = captioner_run[2][0]
    status, answer = server.request("GET", "/v1/models/captioner/metadata")
    assert status == 200
    assert answer["model_spec"] == {
        "name": "captioner",
        "signature_name": "",
        "version": folder.name,
    }
    signatures = answer["metadata"]["signature_def"]["signature_def"]
    for name, function in models["captioner"].signatures.items():
        signature = signatures[name]
        assert signature["method_name"] == "tensorflow/serving/predict"
        (given,) = signature["inputs"].values()
        assert set(signature["inputs"]) == set(function.structured_input_signature[1])
        assert set(signature["outputs"]) == set(function.structured_outputs)
        assert given["tensor_shape"]["dim"][0]["size"] == "-1"
    image = signatures["serving_default"]["inputs"]["image_bytes"]
    assert image["dtype"] == "DT_STRING"
    path = f"/v1/models/captioner/versions/{folder.name}/metadata"
    assert server.request("GET", path) == (status, answer)
    for path in ("captioner/versions/77/metadata", "other/metadata"):
        status, answer = server.request("GET", f"/v1/models/{path}")
        assert status == 404 and path.split("/")[0] in answer["error"]


def test_paths_with_a_version(server, tagger_run, contents, expected):
    version = tagger_run[2][0].name
    path = f"/v1/models/tagger/versions/{version}"
    assert server.request("GET", path) == server.request("GET", "/v1/models/tagger")
    status, answer = server.predict(f"tagger/versions/{version}", contents[:1])
    assert status == 200
    assert_same(answer["predictions"][0], expected["tagger"][0])
    for name in ("tagger/versions/77", f"other/versions/{version}"):
        status, answer = server.predict(name, contents[:1])
        assert status == 404 and name.split("/")[0] in answer["error"]
        assert server.request("GET", f"/v1/models/{name}")[0] == 404


@pytest.mark.parametrize(
    ("method", "path", "status"),
    [
        ("GET", "/openapi.json", 404),
        ("GET", "/docs", 404),
        ("GET", "/v2", 404),
        ("POST", "/v2/repository/models/tagger/unload", 404),
        ("POST", "/v1/models/tagger:explain", 405),
        ("DELETE", "/v1/models/tagger", 405),
        ("PUT", "/", 405),
        ("GET", "/v1/models/tagger:predict", 404),
        ("GET", "/v1/models/../../etc/passwd", 404),
    ],
)
def test_there_are_no_other_routes(server, method, path, status):
    found, answer = server.request(method, path, b"{}" if method == "POST" else None)
    assert (found, list(answer)) == (status, ["error"])


def test_image_files_as_they_are(server, contents, expected):
    """What `curl --data-binary @photo.png` and `curl -F image=@photo.png` send."""
    form = b"".join(
        b'--xyz\r\nContent-Disposition: form-data; name="image"; filename="a.png"\r\n'
        b"\r\n" + content + b"\r\n"
        for content in contents[:2]
    )
    for body, kind, count in [
        (contents[0], "application/x-www-form-urlencoded", 1),
        (contents[0], "image/png", 1),
        (form + b"--xyz--\r\n", 'multipart/form-data; boundary="xyz"', 2),
    ]:
        headers = {"Content-Type": kind}
        for task in ("tagger", "captioner"):
            path = f"/v1/models/{task}:predict"
            status, answer = server.request("POST", path, body, headers)
            assert status == 200
            for found, each in zip(
                answer["predictions"], expected[task][:count], strict=True
            ):
                assert_same(found, each)
        status, both = server.request("POST", "/", body, headers)
        assert status == 200 and len(both["predictions"]) == count
        assert_same(both["predictions"][0]["captioner"], expected["captioner"][0])
        assert_same(both["predictions"][0]["tagger"], expected["tagger"][0])


def test_of_many_at_once_none_is_lost_or_mixed_up(server, contents, expected):
    def ask(number):
        task = ("tagger", "captioner")[number % 2]
        chosen = [(number + i) % len(contents) for i in range(number % 3 + 1)]
        batch = [contents[i] for i in chosen]
        if number % 5 == 0:
            batch.append(b"broken")
        return number, task, chosen, server.predict(task, batch)

    with concurrent.futures.ThreadPoolExecutor(8) as pool:
        answers = list(pool.map(ask, range(COUNT)))
    assert [number for number, *_ in answers] == list(range(COUNT))
    for number, task, chosen, (status, answer) in answers:
        *predictions, last = [*answer["predictions"], None][: len(chosen) + 1]
        assert status == (400 if number % 5 == 0 else 200) and last is None
        assert len(answer["predictions"]) == len(chosen) + (number % 5 == 0)
        for i, prediction in zip(chosen, predictions, strict=True):
            assert_same(prediction, expected[task][i])


def mutated(rng, bases):
    """An image file with bytes changed, cut off, put in or repeated."""
    data = bytearray(bases[rng.integers(len(bases))])
    for _ in range(rng.integers(1, 4)):
        at = int(rng.integers(len(data)))
        kind = rng.integers(4)
        if kind == 0:
            data[at] = rng.integers(256)
        elif kind == 1 and at > 0:
            del data[at:]
        elif kind == 2:
            data[at:at] = rng.bytes(int(rng.integers(1, 9)))
        else:
            data[at:at] = data[at : at + int(rng.integers(1, 200))]
    return bytes(data)


@pytest.mark.parametrize(
    "count", [75, pytest.param(2000, marks=pytest.mark.slow)], ids=str
)
def test_mutated_images(server, contents, expected, count):
    """The server refuses what the decoder refuses, answers the rest, and goes on."""
    rng = np.random.default_rng(count)
    noise = np.uint8(rng.integers(0, 255, (24, 32, 3)))
    bases = []
    for kind in ("JPEG", "PNG", "GIF", "BMP", "WEBP"):
        file = io.BytesIO()
        Image.fromarray(noise).save(file, kind)
        bases.append(file.getvalue())
    files = [mutated(rng, bases) for _ in range(count)]

    def ask(start):
        return server.predict("tagger", files[start : start + 25])

    with concurrent.futures.ThreadPoolExecutor(4) as pool:
        answers = list(pool.map(ask, range(0, count, 25)))
    refused = []
    for status, answer in answers:
        assert status in (200, 400)
        refused += [prediction is None for prediction in answer["predictions"]]
        assert sum(x is None for x in answer["predictions"]) == len(
            answer.get("errors", ())
        )
    assert refused == [not _decodes(file) for file in files]
    assert 0.2 < np.mean(refused) < 0.95
    status, answer = server.predict("tagger", contents[:1])
    assert status == 200
    assert_same(answer["predictions"][0], expected["tagger"][0])


def _decodes(file):
    try:
        decode_image(file)
    except tf.errors.InvalidArgumentError:
        return False
    return True
