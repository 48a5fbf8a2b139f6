"""A web server with exported models in it."""

import os
import sys
from collections.abc import Iterable

from annotator.export import serving_files
from annotator.export.versions import find_exports
from annotator.serve.application import Application
from annotator.serve.connections import Server, fitting
from annotator.serve.grpc_service import grpc_server
from annotator.serve.limits import Limits
from annotator.serve.predictor import Predictor
from annotator.serve.served_model import ServedModel

# In which calls that have come are answered when the server ends.
_LAST_SECONDS = 10.0
_SWITCH_SECONDS = 0.001


def serve(
    paths: Iterable[str | os.PathLike],
    port: int,
    host: str = "127.0.0.1",
    *,
    max_batch: int = 32,
    max_instances: int = 128,
    max_waiting: int = 1024,
    max_seconds: float = 10.0,
    limits: Limits | None = None,
    token: str | None = None,
    certificate: str | os.PathLike | None = None,
    key: str | os.PathLike | None = None,
    grpc_port: int | None = None,
) -> None:
    """Loads exports, checks and warms them, and serves them until the process ends.

    Args:
        paths: Folders of exports, as `find_exports` takes them.
        port: HTTP port.
        host: Address to listen at: `127.0.0.1` for this machine alone, `0.0.0.0` for
            all its networks.
        max_batch: Images computed together.
        max_instances: Images in a request.
        max_waiting: Images that may wait.
        max_seconds: How long an image may have to wait.
        limits: Limits of connections and requests.
        token: A bearer token that requests must have; `None` for none.
        certificate: File of a TLS certificate (PEM); `None` for no TLS.
        key: File of its private key.
        grpc_port: Port of TensorFlow Serving's gRPC form; `None` for none.

    Raises:
        FileNotFoundError: When a path is no export.
        ValueError: When a file of an export is missing or altered.
        KeyboardInterrupt: When it was ended by Ctrl-C.
    """
    # The loop that takes requests waits no longer for threads that compute in Python.
    sys.setswitchinterval(_SWITCH_SECONDS)
    limits = fitting(limits or Limits())
    models = []
    for task, (folder, _) in find_exports(paths).items():
        model = ServedModel(folder, max_batch, max_waiting, max_seconds)
        for signature, inputs in serving_files.read_warmup(folder):
            (rows,) = inputs.values()
            for future in model.submit(signature, list(rows)):
                future.result()
        metadata = serving_files.read_metadata(folder, task)
        models.append(Predictor(task, folder.name, model, metadata, max_instances))
        print(f"Serving {task}, version {folder.name}, on {host}:{port}.", flush=True)
    calls = None
    if grpc_port is not None:
        calls = grpc_server(models, host, grpc_port, limits, token, certificate, key)
        calls.start()
        print(f"Serving gRPC on {host}:{grpc_port}.", flush=True)
    application = Application(models, limits, token)
    server = Server(
        application.asgi,
        host,
        port,
        limits,
        ssl_certfile=certificate,
        ssl_keyfile=key,
    )
    server.run()
    if calls is not None:
        calls.stop(_LAST_SECONDS).wait()
    if server.interrupted:
        raise KeyboardInterrupt
