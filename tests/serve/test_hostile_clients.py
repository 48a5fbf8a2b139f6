"""Clients that send too much, too slowly or nothing, or go: the others are answered."""

import concurrent.futures
import contextlib
import http.client
import importlib.util
import json
import socket
import threading
import time

import numpy as np
import pytest
import tensorflow as tf

pytestmark = pytest.mark.skipif(
    importlib.util.find_spec("uvicorn") is None,
    reason='uvicorn is not installed: pip install ".[serve]"',
)


class Model:
    """Answers at once, or, while it is `busy`, not at all."""

    inputs = {
        "serving_default": tf.TensorSpec([None], tf.string, "image_bytes"),
        "pixels": tf.TensorSpec([None, None, None, 3], tf.uint8, "images"),
    }
    waiting = 0

    def __init__(self):
        self.busy = False
        self.futures = []

    def submit(self, signature, rows):
        futures = [concurrent.futures.Future() for _ in rows]
        for future, row in zip(futures, rows, strict=True):
            if not self.busy:
                size = len(row) if isinstance(row, bytes) else row.size
                future.set_result({"size": np.float32(size)})
        self.futures += futures
        return futures


@pytest.fixture
def served():
    """Starts servers in this process; returns a function from limits to one."""
    from annotator.serve.application import Application
    from annotator.serve.connections import Server
    from annotator.serve.limits import Limits
    from annotator.serve.predictor import Predictor

    with contextlib.ExitStack() as stack:

        def start(token=None, **limits):
            with socket.socket() as free:
                free.bind(("127.0.0.1", 0))
                port = free.getsockname()[1]
            model = Model()
            limits = Limits(**limits)
            predictor = Predictor("tagger", "1", model, {"metadata": {}})
            application = Application([predictor], limits, token)
            # uvloop, where it is installed, takes connections past the loop's readers.
            server = Server(application.asgi, "127.0.0.1", port, limits, loop="asyncio")
            thread = threading.Thread(target=server.run)
            thread.start()

            def stop():
                server.should_exit = True
                thread.join(30)

            stack.callback(stop)
            while not server.started:
                time.sleep(0.01)
            server.port, server.model = port, model
            server.bodies = application.bodies
            return server

        yield start


def ask(server, method, path, body=None, headers=None):
    """`(status, headers, body)`."""
    connection = http.client.HTTPConnection("127.0.0.1", server.port, timeout=30)
    with contextlib.closing(connection):
        connection.request(method, path, body, headers or {})
        answer = connection.getresponse()
        return answer.status, answer.headers, answer.read()


def connect(server):
    return socket.create_connection(("127.0.0.1", server.port), timeout=30)


def everything(connection):
    """What comes until the connection is closed or cut."""
    parts = []
    with contextlib.suppress(ConnectionError):
        while part := connection.recv(1 << 16):
            parts.append(part)
    return b"".join(parts)


PREDICT = "/v1/models/tagger:predict"
STATUS = "/v1/models/tagger"


def test_a_header_has_its_bytes_and_its_time(served):
    server = served(header_bytes=4096, header_seconds=1.0)
    with connect(server) as large:
        large.sendall(b"GET / HTTP/1.1\r\n" + b"X-A: " + b"a" * 2**17)
        assert everything(large).startswith(b"HTTP/1.1 4")
    with contextlib.ExitStack() as stack:
        slow = [stack.enter_context(connect(server)) for _ in range(20)]
        for connection in slow[:10]:
            connection.sendall(b"GET / HTTP/1.1\r\nHost: x\r\n")
        began = time.monotonic()
        with contextlib.suppress(ConnectionError):
            while time.monotonic() < began + 20:  # a drip holds it no longer
                slow[0].sendall(b"X-A: a\r\n")
                time.sleep(0.05)
        assert time.monotonic() < began + 20
        for connection in slow:
            assert everything(connection) == b""
    assert ask(server, "GET", STATUS)[0] == 200


def test_a_connection_that_was_used_has_no_more_time(served):
    server = served(header_seconds=1.0)
    with connect(server) as connection:
        connection.sendall(f"GET {STATUS} HTTP/1.1\r\nHost: x\r\n\r\n".encode())
        assert connection.recv(1 << 16).startswith(b"HTTP/1.1 200")
        connection.sendall(b"GET")
        everything(connection)


def test_a_body_has_its_time_as_a_whole(served, until):
    server = served(body_seconds=1.0)
    with connect(server) as connection:
        head = f"POST {PREDICT} HTTP/1.1\r\nHost: x\r\nContent-Length: 999\r\n\r\n"
        connection.sendall(head.encode())
        answer = b""
        connection.settimeout(0.05)
        for _ in range(400):
            with contextlib.suppress(ConnectionError):
                connection.sendall(b"x")
            with contextlib.suppress(TimeoutError):
                answer = connection.recv(1 << 16)
                break
        # Its head and its text may come one after the other.
        connection.settimeout(30)
        answer += everything(connection)
    assert answer.startswith(b"HTTP/1.1 408 ") and b"did not come in 1 s" in answer
    until(lambda: not server.bodies.open)


def test_a_body_that_is_too_large_is_refused_before_it_comes(served):
    server = served(body_bytes=1000)
    with connect(server) as connection:
        head = f"POST {PREDICT} HTTP/1.1\r\nHost: x\r\nContent-Length: 1001\r\n\r\n"
        connection.sendall(head.encode())
        assert connection.recv(1 << 16).startswith(b"HTTP/1.1 413 ")


def test_bodies_that_are_too_large_together_are_refused(served, until):
    """Of clients that never end their requests."""
    server = served(body_bytes=1000, open_bytes=3000, body_seconds=60)
    head = f"POST {PREDICT} HTTP/1.1\r\nHost: x\r\nContent-Length: 1000\r\n\r\n"
    with contextlib.ExitStack() as stack:
        for _ in range(3):
            stack.enter_context(connect(server)).sendall(head.encode() + b"x" * 999)
        until(lambda: server.bodies.open == 3 * 999)
        status, headers, answer = ask(server, "POST", PREDICT, b"x" * 500)
        assert status == 503 and headers["Retry-After"] and b"Try again" in answer
    until(lambda: not server.bodies.open)
    assert ask(server, "POST", PREDICT, b"x" * 500)[0] == 400


def test_there_are_only_so_many_connections(served, until):
    server = served(connections=4)
    with contextlib.ExitStack() as stack:
        for _ in range(4):
            stack.enter_context(connect(server))
        until(lambda: len(server.server_state.connections) == 4)
        with connect(server) as fifth:
            answer = everything(fifth)
        assert answer.startswith(b"HTTP/1.1 503 ") and b"Retry-After: 1" in answer
    until(lambda: not server.server_state.connections)
    assert ask(server, "GET", STATUS)[0] == 200


def test_what_nobody_waits_for_is_given_up(served, until):
    server = served()
    server.model.busy = True
    body = json.dumps({"instances": [{"b64": "AAAA"}] * 3}).encode()
    head = f"POST {PREDICT} HTTP/1.1\r\nHost: x\r\nContent-Length: {len(body)}\r\n\r\n"
    for _ in range(5):
        count = len(server.model.futures) + 3
        with connect(server) as connection:
            connection.sendall(head.encode() + body)
            until(lambda count=count: len(server.model.futures) >= count)
    until(lambda: all(future.cancelled() for future in server.model.futures))
    until(lambda: not server.bodies.open)
    server.model.busy = False
    assert ask(server, "POST", PREDICT, body)[0] == 200


@pytest.mark.parametrize(
    "body",
    [
        b'{"instances": [' + b"[]," * 2**20 + b"[]]}",
        b'{"instances": [' + b"0," * 2**20 + b"0]}",
        b'{"instances": ["' + b"a" * (2**24 + 1) + b'"]}',
        b'{"instances": ' + b"[" * 2**20,
    ],
)
def test_json_of_countless_parts_is_refused_unparsed(served, body):
    status, _, answer = ask(served(), "POST", PREDICT, body)
    assert status == 400 and b"Send images as files" in answer


def test_base64_may_be_long(served):
    from annotator.serve.request_body import Encoded, parse_json

    server = served()
    for text, size in [("A" * 2**24, 3 * 2**22), ("A" * 1022 + "==", 766)]:
        body = json.dumps(
            {"instances": [{"b64": text}, {"image_bytes": {"b64": text}}]}
        )
        status, _, answer = ask(server, "POST", PREDICT, body)
        sizes = [row["size"] for row in json.loads(answer)["predictions"]]
        assert status == 200 and sizes == [size, size]
    for text in ("A" * 511 + "=" + "A" * 512, "A" * 1023, "!" * 1024):
        body = json.dumps({"instances": [{"b64": text}]})
        status, _, answer = ask(server, "POST", PREDICT, body)
        assert status == 400 and b"not base64" in answer
    # Escaped slashes, as PHP writes them, and a key within a text.
    assert parse_json(b'{"b64": "' + b"A\\/" * 999 + b'"}') == {"b64": "A/" * 999}
    quoted = {"a": '"b64": "' + "A" * 999, "b64": 7}
    assert parse_json(json.dumps(quoted).encode()) == quoted
    found = parse_json(b'{"b64"\n:  "' + b"A" * 1000 + b'", "x": 1}')
    assert isinstance(found["b64"], Encoded) and found["x"] == 1


def test_pixels_are_taken_as_numbers(served):
    pixels = np.zeros((5, 4, 3), int).tolist()
    body = json.dumps({"instances": [pixels], "signature_name": "pixels"})
    status, _, answer = ask(served(), "POST", PREDICT, body)
    assert status == 200 and json.loads(answer)["predictions"] == [{"size": 60}]


def test_a_token_is_asked_for(served):
    server = served(token="s3cret")
    for headers in ({}, {"Authorization": "Bearer other"}, {"Authorization": "s3cret"}):
        for method, path in [("GET", STATUS), ("POST", PREDICT), ("GET", "/metrics")]:
            status, found, _ = ask(server, method, path, b"{}", headers)
            assert status == 401 and found["WWW-Authenticate"] == "Bearer"
    headers = {"Authorization": "Bearer s3cret"}
    assert ask(server, "GET", STATUS, headers=headers)[0] == 200
    assert ask(server, "GET", "/")[0] == 200  # the page asks for it


def test_the_page_takes_nothing_from_elsewhere(served):
    server = served()
    status, headers, page = ask(server, "GET", "/")
    assert status == 200 and b"Drop an image here" in page
    policy = headers["Content-Security-Policy"]
    assert "default-src 'none'" in policy
    nonce = policy.partition("'nonce-")[2].partition("'")[0]
    assert f'<script nonce="{nonce}">'.encode() in page
    assert b"http:" not in page and b"https:" not in page
    assert nonce.encode() not in ask(server, "GET", "/")[2]
    status, _, answer = ask(server, "POST", "/", b"GIF89a")
    assert status == 200
    assert json.loads(answer) == {"predictions": [{"tagger": {"size": 6}}]}


def test_metrics(served):
    server = served()
    ask(server, "GET", STATUS)
    status, _, text = ask(server, "GET", "/metrics")
    assert status == 200
    assert b'annotator_requests_total{method="GET",status="200"}' in text
    assert b'annotator_waiting{model="tagger"}' in text


def test_forms_without_files(served):
    server = served()
    headers = {"Content-Type": "multipart/form-data"}
    status, _, answer = ask(server, "POST", PREDICT, b"--x--", headers)
    assert status == 400 and b"no boundary" in answer
    headers = {"Content-Type": "multipart/form-data; boundary=x"}
    body = b'--x\r\nContent-Disposition: form-data; name="a"\r\n\r\n1\r\n--x--'
    status, _, answer = ask(server, "POST", PREDICT, body, headers)
    assert status == 400 and b"holds no file" in answer


def test_an_end_answers_what_has_come(served, until):
    """Also the requests that come at that moment; what is half sent is cut off."""
    server = served(body_seconds=60)
    server.model.busy = True
    body = json.dumps({"instances": [{"b64": "AAAA"}]}).encode()
    head = f"POST {PREDICT} HTTP/1.1\r\nHost: x\r\nContent-Length: 9\r\n\r\n{{"
    with concurrent.futures.ThreadPoolExecutor(8) as pool, connect(server) as half:
        half.sendall(head.encode())
        asked = [pool.submit(ask, server, "POST", PREDICT, body) for i in range(8)]
        until(lambda: len(server.model.futures) == 8)
        server.should_exit = True
        time.sleep(0.5)
        for future in server.model.futures:
            future.set_result({"size": np.float32(3)})
        assert [answer.result()[0] for answer in asked] == [200] * 8
        assert everything(half) == b""


def test_an_end_answers_those_who_wait_to_be_taken(served):
    """The system has let them in; the server has not looked at them yet."""
    server = served()
    (listening,) = server.servers
    loop, looks_away = listening.get_loop(), threading.Event()

    def look_away():
        for each in listening.sockets:
            loop.remove_reader(each.fileno())
        looks_away.set()

    loop.call_soon_threadsafe(look_away)
    assert looks_away.wait(30)
    with contextlib.ExitStack() as stack:
        waiting = [stack.enter_context(connect(server)) for _ in range(5)]
        for each in waiting:
            each.sendall(f"GET {STATUS} HTTP/1.1\r\nHost: x\r\n\r\n".encode())
        server.should_exit = True
        for each in waiting:
            assert everything(each).startswith(b"HTTP/1.1 200")
    with pytest.raises(ConnectionRefusedError):
        connect(server)
