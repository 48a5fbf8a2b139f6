"""Do hostile clients stop the web server, slow it down, or grow it?

    python benchmarks/hostile_clients.py --model=runs/shapes/export/tagger
    python benchmarks/hostile_clients.py --model=... --trials=100 --minutes=30

While each attack goes on, another client asks for the status every 20 ms and for the
tags of a small image one after the other: a line tells the 99th percentile of the first
and the longest of the second, the memory of the server beyond what it had at rest, and
what the attack was answered. Then come `--trials` of SIGTERM under load, which must
answer every request that was taken and end with code 0; a soak of `--minutes` with 8
clients; and 64 clients for `--crowd_seconds`. Needs the extra `serve` and Linux.
"""

import base64
import collections
import concurrent.futures
import contextlib
import io
import json
import os
import signal
import socket
import sys
import threading
import time

import numpy as np
from absl import app, flags
from common import cpu
from hostile_images import png
from PIL import Image
from serving import ask, running_server

_TRIALS = flags.DEFINE_integer("trials", 3, "Times that it is ended under load.")
_MINUTES = flags.DEFINE_float("minutes", 0.5, "Length of the soak.")
_CROWD_SECONDS = flags.DEFINE_float("crowd_seconds", 20, "How long 64 clients ask.")
_ATTACK_SECONDS = flags.DEFINE_float("attack_seconds", 5, "Least time of an attack.")


def small_image() -> bytes:
    """A PNG of 64 x 64 pixels."""
    content = io.BytesIO()
    Image.effect_noise((64, 64), 90).convert("RGB").save(content, "PNG")
    return content.getvalue()


def predict_body(contents) -> str:
    """The body of a request for some images."""
    encoded = [{"b64": base64.b64encode(each).decode()} for each in contents]
    return json.dumps({"instances": encoded})


def post(port, path, body):
    """The status of an answer, and its seconds."""
    start = time.monotonic()
    status, _ = ask(port, "POST", path, body)
    return status, time.monotonic() - start


def raw(port, data, wait=True) -> bytes:
    """What comes when bytes are sent as they are."""
    with contextlib.suppress(OSError):
        with socket.create_connection(("127.0.0.1", port), timeout=70) as connection:
            connection.sendall(data)
            return connection.recv(100) if wait else b""
    return b"cut off"


def attacks(port, path):
    """Yields `(name, function)` of what hostile clients do."""

    def json_of(text):
        return lambda: post(port, path, text)[0]

    def half_headers():
        connections = [
            socket.create_connection(("127.0.0.1", port)) for _ in range(300)
        ]
        for connection in connections:
            connection.sendall(b"GET / HTTP/1.1\r\nHost:")
        time.sleep(12)
        closed = 0
        for connection in connections:
            connection.settimeout(0.01)
            with contextlib.suppress(TimeoutError):
                try:
                    closed += connection.recv(1) == b""
                except ConnectionError:
                    closed += 1
            connection.close()
        return f"{closed} of 300 closed after 12 s"

    def go_away():
        body = predict_body([small_image()] * 8).encode()
        head = f"POST {path} HTTP/1.1\r\nHost: x\r\nContent-Length: {len(body)}\r\n\r\n"
        for _ in range(100):
            raw(port, head.encode() + body, wait=False)
        status, seconds = post(port, path, predict_body([small_image()]))
        return f"100 went; the next had {status} after {seconds:.2f} s"

    yield "30 MB of [],", json_of('{"instances": [' + "[]," * 10**7 + "[]]}")
    yield "zeros as pixels", json_of('{"instances": [' + "0," * 10**7 + "0]}")
    yield "60 MB of base64", json_of(predict_body([bytes(45 * 2**20)]))
    yield "brackets", json_of("[" * 10**7)
    yield (
        "a header of 20 MB",
        lambda: raw(port, b"GET / HTTP/1.1\r\nA: " + b"a" * 2**24),
    )
    yield "300 half headers", half_headers
    yield "100 clients that go", go_away
    large = png(8192, 8192)
    yield "8 images of 64 megapixels", json_of(predict_body([large] * 8))


class Bystander:
    """Asks for the status and for the tags of a small image meanwhile."""

    def __init__(self, port, path):
        self.port, self.path = port, path
        self.going = True
        self.status, self.predictions = [], []
        self.failed = 0
        self.threads = [
            threading.Thread(target=each) for each in (self._ask_status, self._predict)
        ]

    def __enter__(self):
        for thread in self.threads:
            thread.start()
        return self

    def __exit__(self, *error):
        self.going = False
        for thread in self.threads:
            thread.join()

    def _ask_status(self):
        while self.going:
            start = time.monotonic()
            status, _ = ask(self.port, "GET", self.path.partition(":")[0])
            self.status.append(time.monotonic() - start)
            self.failed += status != 200
            time.sleep(0.02)

    def _predict(self):
        body = predict_body([small_image()])
        while self.going:
            status, seconds = post(self.port, self.path, body)
            self.predictions.append(seconds)
            self.failed += status != 200


def memory(process) -> float:
    """MB that a process has."""
    with open(f"/proc/{process}/statm") as file:
        return int(file.read().split()[1]) * os.sysconf("SC_PAGE_SIZE") / 2**20


def child() -> int:
    """The process that `running_server` started."""
    with open(f"/proc/self/task/{os.getpid()}/children") as file:
        return int(file.read().split()[-1])


def attack(port, path):
    """Prints what each attack does to others."""
    print("attack | answer | status p99 ms | predict longest s | failed | MB at most")
    process, rest = child(), memory(child())
    for name, act in attacks(port, path):
        most = 0.0
        with (
            Bystander(port, path) as others,
            concurrent.futures.ThreadPoolExecutor(1) as pool,
        ):
            begin = time.monotonic()
            act = pool.submit(act)
            while not act.done() or time.monotonic() < begin + _ATTACK_SECONDS.value:
                most = max(most, memory(process) - rest)
                time.sleep(0.02)
        p99 = 1000 * np.percentile(others.status, 99)
        cells = [act.result(), f"{p99:.0f}", f"{max(others.predictions):.2f}"]
        print(name, *cells, others.failed, f"{most:.0f}", sep=" | ", flush=True)
    time.sleep(60)
    print(f"a minute later: {memory(process) - rest:+.0f} MB")


def crowd(port, path, clients, seconds):
    """Statuses and times of requests that several clients make all the time."""
    end = time.monotonic() + seconds
    body = predict_body([small_image()])

    def client(_):
        answers = []
        while time.monotonic() < end:
            answers.append(post(port, path, body))
        return answers

    with concurrent.futures.ThreadPoolExecutor(clients) as pool:
        answers = [each for some in pool.map(client, range(clients)) for each in some]
    statuses = collections.Counter(status for status, _ in answers)
    p50, p99 = np.percentile([seconds for _, seconds in answers], (50, 99))
    return statuses, p50, p99


def end_under_load(exports, path):
    """Whether all requests that were sent were answered, and seconds to the end."""
    body = predict_body([small_image()] * 4)
    answers = []
    with running_server(exports) as port:
        process = child()
        threads = [
            threading.Thread(target=lambda: answers.append(post(port, path, body)[0]))
            for _ in range(8)
        ]
        for thread in threads:
            thread.start()
        time.sleep(float(np.random.default_rng().uniform(0.05, 0.5)))
        start = time.monotonic()
        os.kill(process, signal.SIGTERM)
        _, status = os.waitpid(process, 0)
        for thread in threads:
            thread.join()
    lost = sum(answer not in (200, 503) for answer in answers)
    return lost, os.waitstatus_to_exitcode(status), time.monotonic() - start


def main(argv):
    del argv
    os.environ.setdefault("TF_CPP_MIN_LOG_LEVEL", "2")
    from annotator.export.versions import find_exports

    folders = flags.FLAGS.model
    exports = {task: folder for task, (folder, _) in find_exports(folders).items()}
    path = f"/v1/models/{next(iter(exports))}:predict"
    print(cpu())
    with running_server(exports) as port:
        attack(port, path)
        before = memory(child())
        statuses, p50, p99 = crowd(port, path, 8, 60 * _MINUTES.value)
        print(
            f"8 clients for {_MINUTES.value:g} min: {dict(statuses)}, p50 {p50:.2f} s, "
            f"p99 {p99:.2f} s, {memory(child()) - before:+.0f} MB"
        )
        statuses, p50, p99 = crowd(port, path, 64, _CROWD_SECONDS.value)
        print(
            f"64 clients for {_CROWD_SECONDS.value:g} s: {dict(statuses)}, p50 "
            f"{p50:.2f} s, p99 {p99:.2f} s"
        )
    trials = [end_under_load(exports, path) for _ in range(_TRIALS.value)]
    lost, codes, seconds = zip(*trials, strict=True)
    print(
        f"SIGTERM under load, {len(trials)} trials: {sum(lost)} lost, exit codes "
        f"{sorted(set(codes))}, {max(seconds):.1f} s at most"
    )
    sys.exit(any(lost) or any(codes))


if __name__ == "__main__":
    app.run(main)
