"""Do hostile clients stop the web server, slow it down, or grow it?

    python benchmarks/hostile_clients.py --model=runs/shapes/export/tagger
    python benchmarks/hostile_clients.py --model=... --trials=100 --minutes=30

While each attack goes on, another client, a process of its own, asks for the status
every 20 ms and for the tags of a small image one after the other: a line tells the 99th
percentile of the first and the longest of the second, the memory of the server beyond
what it had at rest, and what the attack was answered. Then come a soak of `--minutes`
with 8 clients, who rest for `--rest_seconds` between requests; 64 clients for
`--crowd_seconds`; and `--trials` of SIGTERM under load, which must answer every request
that was taken and end with code 0. Needs the extra `serve` and Linux. The servers are
forks of this process, in which TensorFlow has been imported and has computed nothing.
"""

import base64
import collections
import concurrent.futures
import contextlib
import io
import json
import multiprocessing
import os
import pathlib
import signal
import socket
import sys
import tempfile
import threading
import time

import numpy as np
from absl import app, flags
from common import cpu
from forked import Forked, prepare
from hostile_images import png
from PIL import Image
from serving import ask

_TRIALS = flags.DEFINE_integer("trials", 3, "Times that it is ended under load.")
_MINUTES = flags.DEFINE_float("minutes", 0.5, "Length of the soak.")
_CROWD_SECONDS = flags.DEFINE_float("crowd_seconds", 20, "How long 64 clients ask.")
_REST_SECONDS = flags.DEFINE_float("rest_seconds", 0, "Between a client's requests.")
_ATTACKS = flags.DEFINE_bool("attacks", True, "Whether there are attacks.")
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

    yield "nothing", lambda: "-"  # what the machine makes of it
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
    """Asks for the status and for the tags of a small image meanwhile.

    It is a process: the attack, which Python makes, does not hold it up.
    """

    def __init__(self, port, path):
        self.port, self.path = port, path
        context = multiprocessing.get_context("fork")
        self.going = context.Event()
        here, there = context.Pipe(duplex=False)
        self.answer = here
        self.process = context.Process(target=self._ask, args=[there])

    def __enter__(self):
        self.going.set()
        self.process.start()
        return self

    def __exit__(self, *error):
        self.going.clear()
        self.status, self.predictions, self.failed = self.answer.recv()
        self.process.join()

    def _ask(self, answer):
        with concurrent.futures.ThreadPoolExecutor(2) as pool:
            status, predictions = pool.map(lambda f: f(), [self._status, self._predict])
        seconds = [[s for _, s in answers] for answers in (status, predictions)]
        failed = sum(code != 200 for code, _ in [*status, *predictions])
        answer.send((*seconds, failed))

    def _status(self):
        answers = []
        while self.going.is_set():
            start = time.monotonic()
            status, _ = ask(self.port, "GET", self.path.partition(":")[0])
            answers.append((status, time.monotonic() - start))
            time.sleep(0.02)
        return answers

    def _predict(self):
        body = predict_body([small_image()])
        answers = []
        while self.going.is_set():
            answers.append(post(self.port, self.path, body))
        return answers


def memory(process) -> float:
    """MB that a process has."""
    with open(f"/proc/{process.pid}/statm") as file:
        return int(file.read().split()[1]) * os.sysconf("SC_PAGE_SIZE") / 2**20


@contextlib.contextmanager
def forked_server(exports):
    """Starts a server; yields its port and process once it answers."""
    with socket.socket() as free:
        free.bind(("127.0.0.1", 0))
        port = free.getsockname()[1]
    models = [f"--model={folder}" for folder in exports.values()]
    with tempfile.TemporaryDirectory() as folder:
        said = pathlib.Path(folder, "output")
        process = Forked(["serve", f"--port={port}", *models], said)
        try:
            while ask(port, "GET", "/v1/models")[0] != 200:
                if process.poll() is not None:
                    sys.exit(f"the server did not start: {said.read_text()[-2000:]}")
                time.sleep(0.05)
            yield port, process
        finally:
            process.send(signal.SIGTERM)
            process.wait()


def attack(port, path, process):
    """Prints what each attack does to others."""
    print("attack | answer | status p99 ms | predict longest s | failed | MB at most")
    rest = memory(process)
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


def crowd(port, path, clients, seconds, rest=0.0):
    """Statuses and times of requests that several clients make all the time."""
    end = time.monotonic() + seconds
    body = predict_body([small_image()])

    def client(_):
        answers = []
        while time.monotonic() < end:
            answers.append(post(port, path, body))
            time.sleep(rest)
        return answers

    with concurrent.futures.ThreadPoolExecutor(clients) as pool:
        answers = [each for some in pool.map(client, range(clients)) for each in some]
    statuses = collections.Counter(status for status, _ in answers)
    p50, p99 = np.percentile([seconds for _, seconds in answers], (50, 99))
    return statuses, p50, p99


def end_under_load(exports, path):
    """Outcomes of 8 requests at a time until SIGTERM, the exit code, and seconds."""
    body = predict_body([small_image()] * 4).encode()
    head = f"POST {path} HTTP/1.1\r\nHost: x\r\nContent-Length: {len(body)}\r\n\r\n"
    outcomes = collections.Counter()

    def client(port):
        while (outcome := _outcome(port, head.encode() + body)) != "refused":
            outcomes[outcome] += 1

    with forked_server(exports) as (port, process):
        threads = [threading.Thread(target=client, args=[port]) for _ in range(8)]
        for thread in threads:
            thread.start()
        time.sleep(float(np.random.default_rng().uniform(0.05, 0.5)))
        start = time.monotonic()
        process.send(signal.SIGTERM)
        code = process.wait()
        seconds = time.monotonic() - start
        for thread in threads:
            thread.join()
    return outcomes, code, seconds


def _outcome(port, request):
    """Status of an answer; `refused` for a connection that is not taken any more.

    A request that was sent, and to which nothing at all came, is `lost`.
    """
    try:
        connection = socket.create_connection(("127.0.0.1", port), timeout=60)
    except OSError:
        return "refused"
    with connection:
        try:
            connection.sendall(request)
            answer = b""
            while b"\r\n" not in answer and (more := connection.recv(1000)):
                answer += more
        except OSError:
            return "lost"
    return answer.split(b" ")[1].decode() if answer else "lost"


def main(argv):
    del argv
    os.environ.setdefault("TF_CPP_MIN_LOG_LEVEL", "2")
    from annotator.export.versions import find_exports

    folders = flags.FLAGS.model
    exports = {task: folder for task, (folder, _) in find_exports(folders).items()}
    path = f"/v1/models/{next(iter(exports))}:predict"
    prepare()
    print(cpu())
    with forked_server(exports) as (port, process):
        if _ATTACKS.value:
            attack(port, path, process)
        if _MINUTES.value:
            soak(port, path, process)
        if _CROWD_SECONDS.value:
            statuses, p50, p99 = crowd(port, path, 64, _CROWD_SECONDS.value)
            print(
                f"64 clients for {_CROWD_SECONDS.value:g} s: {dict(statuses)}, p50 "
                f"{p50:.2f} s, p99 {p99:.2f} s",
                flush=True,
            )
    outcomes, codes, longest = collections.Counter(), collections.Counter(), 0.0
    for number in range(1, _TRIALS.value + 1):
        found, code, seconds = end_under_load(exports, path)
        outcomes += found
        codes[code] += 1
        longest = max(longest, seconds)
        if outcomes["lost"] or code:
            print(f"lost {found['lost']}, exit code {code}", flush=True)
        if number % 10 == 0:
            print(f"{number} trials: {dict(outcomes)}, {dict(codes)}", flush=True)
    print(
        f"SIGTERM under load, {codes.total()} trials: answers {dict(outcomes)}, exit "
        f"codes {dict(codes)}, {longest:.1f} s at most"
    )
    sys.exit(bool(outcomes["lost"] or set(codes) - {0}))


def soak(port, path, process):
    """Prints what 8 clients get all the time, tenth by tenth."""
    print("soak, 8 clients | answers | p50 s | p99 s | MB beyond the first tenth")
    first = None
    for tenth in range(10):
        seconds = 6 * _MINUTES.value
        statuses, p50, p99 = crowd(port, path, 8, seconds, _REST_SECONDS.value)
        first = memory(process) if first is None else first
        grown = f"{memory(process) - first:+.0f}"
        cells = [dict(statuses), f"{p50:.2f}", f"{p99:.2f}", grown]
        print(f"{(tenth + 1) * seconds / 60:.1f} min", *cells, sep=" | ", flush=True)


if __name__ == "__main__":
    app.run(main)
