"""How long do users of the web server wait, and how many images a second does it do?

    python benchmarks/serving.py --model=runs/shapes/export

starts `annotator.serve` in a process of its own and asks it from several threads, one
image a request. The baseline is the same SavedModel in this process, called with one
image after the other: no HTTP, no JSON and nobody else, but no batches either. The
words of every answer are compared with the baseline's. Without `--images` it draws
JPEG files. Needs the extra `serve`.
"""

import base64
import concurrent.futures
import contextlib
import http.client
import json
import os
import pathlib
import signal
import socket
import subprocess
import sys
import tempfile
import time

import numpy as np
from absl import app, flags
from common import list_photographs

flags.DEFINE_multi_string("model", None, "Exports, as for the server.", required=True)
flags.DEFINE_string("images", None, "Folder, pattern or list, as annotate.py.")
flags.DEFINE_integer("requests", 200, "Requests to each model.", lower_bound=1)
flags.DEFINE_integer("clients", 8, "Requests at a time.", lower_bound=1)

FLAGS = flags.FLAGS
WORDS = {"captioner": "captions", "tagger": "tags"}
PERCENTILES = (50, 90, 95, 99, 100)


def main(argv):
    if len(argv) > 1:
        raise app.UsageError(f"Unexpected arguments: {argv[1:]}")
    os.environ.setdefault("TF_CPP_MIN_LOG_LEVEL", "2")
    from annotator.export.versions import find_exports

    with tempfile.TemporaryDirectory() as folder:
        names, _ = list_photographs(FLAGS.images, FLAGS.requests, pathlib.Path(folder))
        files = [pathlib.Path(name).read_bytes() for name in names]
    requests = [files[i % len(files)] for i in range(FLAGS.requests)]
    exports = {task: folder for task, (folder, _) in find_exports(FLAGS.model).items()}
    # They take turns: each has the machine to itself.
    alone = {task: one_by_one(exports[task], task, requests) for task in exports}
    with running_server(exports) as port:
        served = {task: ask_server(port, task, requests) for task in exports}
    header = ["", "images/s", *(f"p{p} ms" for p in PERCENTILES), "lost", "differ"]
    print(f"{FLAGS.requests} requests, {FLAGS.clients} at a time, one image each\n")
    print(" | ".join(header))
    print(" | ".join(["---"] * len(header)))
    for task in exports:
        print_row(f"{task}, SavedModel one by one", alone[task], alone[task])
        print_row(f"{task}, server", served[task], alone[task])
    print()
    for task in exports:
        ratio = alone[task]["seconds"] / served[task]["seconds"]
        print(f"{task}: the server does {ratio:.2f} times the baseline's images/s")
    if any(None in each["answers"] for each in served.values()):
        sys.exit("requests were lost")


def one_by_one(folder, task, requests):
    """The baseline's answers and times."""
    import tensorflow as tf

    model = tf.saved_model.load(str(folder)).signatures["serving_default"]

    def predict(content):
        output = model(image_bytes=tf.constant([content]))[WORDS[task]].numpy()
        return np.vectorize(bytes.decode, otypes=[object])(output).tolist()[0]

    predict(requests[0])  # the first call sets up more than others
    answers, times = [], []
    began = time.perf_counter()
    for content in requests:
        start = time.perf_counter()
        answers.append(predict(content))
        times.append(time.perf_counter() - start)
    seconds = time.perf_counter() - began
    return {"answers": answers, "times": times, "seconds": seconds}


@contextlib.contextmanager
def running_server(exports):
    """Starts a server and yields its port once it answers."""
    with socket.socket() as free:
        free.bind(("127.0.0.1", 0))
        port = free.getsockname()[1]
    models = [f"--model={folder}" for folder in exports.values()]
    process = subprocess.Popen(
        [sys.executable, "-m", "annotator.serve", f"--port={port}", *models]
    )
    began = time.perf_counter()
    try:
        while ask(port, "GET", "/v1/models")[0] != 200:
            if process.poll() is not None:
                sys.exit("the server did not start")
            time.sleep(0.1)
        print(f"the server answers {time.perf_counter() - began:.1f} s after its start")
        yield port
    finally:
        process.send_signal(signal.SIGTERM)
        process.wait()


def ask_server(port, task, requests):
    """The server's answers, `None` where there was none, and times."""

    def predict(content):
        start = time.perf_counter()
        instances = [{"b64": base64.b64encode(content).decode()}]
        body = json.dumps({"instances": instances})
        status, answer = ask(port, "POST", f"/v1/models/{task}:predict", body)
        words = answer["predictions"][0][WORDS[task]] if status == 200 else None
        return words, time.perf_counter() - start

    began = time.perf_counter()
    with concurrent.futures.ThreadPoolExecutor(FLAGS.clients) as pool:
        answers, times = zip(*pool.map(predict, requests), strict=True)
    seconds = time.perf_counter() - began
    return {"answers": answers, "times": times, "seconds": seconds}


def ask(port, method, path, body=None):
    """`(status, JSON)`; `(None, None)` if the connection fails."""
    connection = http.client.HTTPConnection("127.0.0.1", port, timeout=300)
    try:
        connection.request(method, path, body)
        answer = connection.getresponse()
        return answer.status, json.loads(answer.read())
    except (OSError, http.client.HTTPException):
        return None, None
    finally:
        connection.close()


def print_row(name, result, baseline):
    times = 1000 * np.percentile(result["times"], PERCENTILES)
    pairs = zip(result["answers"], baseline["answers"], strict=True)
    cells = [
        name,
        f"{len(result['answers']) / result['seconds']:.1f}",
        *(f"{ms:.0f}" for ms in times),
        str(sum(answer is None for answer in result["answers"])),
        str(sum(answer not in (None, expected) for answer, expected in pairs)),
    ]
    print(" | ".join(cells))


if __name__ == "__main__":
    app.run(main)
