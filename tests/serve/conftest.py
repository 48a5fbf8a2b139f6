"""A server of its own process with a tagger and a captioner, and its client."""

import base64
import http.client
import json
import signal
import socket
import subprocess
import sys
import time

import pytest
import tensorflow as tf


class Client:
    """What a program without this package sees of the server."""

    def __init__(self, port):
        self.port = port

    def request(self, method, path, body=None, headers=None):
        """`(status, JSON)` of the answer."""
        connection = http.client.HTTPConnection("127.0.0.1", self.port, timeout=120)
        try:
            connection.request(method, path, body, headers or {})
            answer = connection.getresponse()
            return answer.status, json.loads(answer.read())
        finally:
            connection.close()

    def predict(self, model, instances, **fields):
        """Posts files' contents, or instances as they are."""
        instances = [
            {"b64": base64.b64encode(x).decode()} if isinstance(x, bytes) else x
            for x in instances
        ]
        body = json.dumps({"instances": instances, **fields})
        return self.request("POST", f"/v1/models/{model}:predict", body)


@pytest.fixture
def until():
    """Waits for a condition, however slow the machine is."""

    def until(condition):
        end = time.monotonic() + 60
        while not condition():
            assert time.monotonic() < end
            time.sleep(0.01)

    return until


@pytest.fixture(scope="module")
def models(tagger_run, captioner_run, load_export):
    """Both models in this process."""
    runs = {"tagger": tagger_run, "captioner": captioner_run}
    return {task: load_export(run[2][0]) for task, run in runs.items()}


@pytest.fixture(scope="module")
def server(tagger_run, captioner_run, tmp_path_factory, request):
    """A `Client` of a server of its own process, with both models."""
    with socket.socket() as free, socket.socket() as other:
        free.bind(("127.0.0.1", 0))
        other.bind(("127.0.0.1", 0))
        port, grpc_port = free.getsockname()[1], other.getsockname()[1]
    log = tmp_path_factory.mktemp("serve") / "log.txt"
    with open(log, "wb") as output:
        process = subprocess.Popen(
            [
                *(sys.executable, "-m", "annotator.serve"),
                f"--model={tagger_run[0] / 'export'}",
                f"--model={captioner_run[2][0]}",
                f"--port={port}",
                f"--grpc_port={grpc_port}",
                "--max_instances=40",
                "--max_request_mb=1",
                "--max_wait_seconds=1000",  # however slow the machine is
            ],
            stdout=output,
            stderr=output,
        )
    client = Client(port)
    client.grpc_port = grpc_port
    try:
        request.getfixturevalue("expected")  # while the server starts
        while True:
            assert process.poll() is None, log.read_text()
            try:
                client.request("GET", "/v1/models")
                break
            except OSError:
                time.sleep(0.2)
        yield client
        process.send_signal(signal.SIGTERM)
        assert process.wait(60) == 0, log.read_text()
        assert "Traceback" not in log.read_text()
    finally:
        process.kill()


@pytest.fixture(scope="module")
def contents(image_folder):
    return [(image_folder / f"{i}.png").read_bytes() for i in range(12)]


@pytest.fixture(scope="module")
def expected(models, contents):
    """What Python says of `contents`, as predictions."""
    found = {}
    for task, model in models.items():
        outputs = model.signatures["serving_default"](image_bytes=tf.constant(contents))
        outputs = {name: value.numpy() for name, value in outputs.items()}
        found[task] = [
            {name: value[i] for name, value in outputs.items()}
            for i in range(len(contents))
        ]
    return found
