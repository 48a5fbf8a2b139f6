"""A web server, kserve's, with exported models in it."""

import asyncio
import logging
import os
import re
from collections.abc import Iterable
from typing import Any

import kserve
from fastapi.responses import JSONResponse
from kserve.errors import InvalidInput, ModelNotFound
from kserve.model_server import app
from starlette.requests import ClientDisconnect

from annotator.export import serving_files
from annotator.export.versions import find_exports
from annotator.serve.predictor import FailedInstances, Predictor
from annotator.serve.served_model import Overloaded, ServedModel


def serve(
    paths: Iterable[str | os.PathLike],
    port: int,
    max_batch: int = 32,
    max_instances: int = 128,
    max_request_bytes: int = 64 * 2**20,
    max_waiting: int = 1024,
    max_open_bytes: int = 256 * 2**20,
    upload_seconds: float = 60.0,
) -> None:
    """Loads exports, checks and warms them, and serves them until the process ends.

    Args:
        paths: Folders of exports, as `find_exports` takes them.
        port: HTTP port.
        max_batch: Images computed together.
        max_instances: Images in a request.
        max_request_bytes: Size of a request's body.
        max_waiting: Images that may wait.
        max_open_bytes: Size of the bodies of all requests that are not yet answered.
        upload_seconds: How long a client may pause in its request's body.

    Raises:
        FileNotFoundError: When a path is no export.
        ValueError: When a file of an export is missing or altered.
    """
    models = []
    for task, (folder, _) in find_exports(paths).items():
        model = ServedModel(folder, max_batch, max_waiting)
        for signature, inputs in serving_files.read_warmup(folder):
            (rows,) = inputs.values()
            for future in model.submit(signature, list(rows)):
                future.result()
        metadata = serving_files.read_metadata(folder, task)
        models.append(Predictor(task, folder.name, model, metadata, max_instances))
        print(f"Serving {task}, version {folder.name}, on port {port}.", flush=True)
    # Routes and handlers that come first win over kserve's own.
    app.add_api_route("/v1/models/{model_name}", _status, methods=["GET"])
    app.add_api_route("/v1/models/{model_name}/metadata", _metadata, methods=["GET"])
    app.add_api_route("/v2/repository/{path:path}", _no_repository, methods=["POST"])
    app.add_exception_handler(FailedInstances, _failed_instances)
    app.add_exception_handler(_TooLarge, _too_large)
    app.add_exception_handler(_TooSlow, _too_slow)
    app.add_exception_handler(Overloaded, _overloaded)
    app.add_middleware(
        _LimitedBodies,
        max_bytes=max_request_bytes,
        max_open=max_open_bytes,
        seconds=upload_seconds,
    )
    app.add_middleware(
        _Versions, served={model.name: model.version for model in models}
    )
    server = kserve.ModelServer(
        http_port=port, enable_grpc=False, enable_latency_logging=False
    )
    app.state.models = server.registered_models
    logging.getLogger("kserve").addFilter(_without_clients_mistakes)
    server.start(models)


async def _status(model_name: str) -> dict[str, Any]:
    """TensorFlow Serving's answer to `GET /v1/models/NAME`."""
    model = _model(model_name)
    status = {"error_code": "OK", "error_message": ""}
    version = {"version": model.version, "state": "AVAILABLE", "status": status}
    return {"model_version_status": [version]}


async def _metadata(model_name: str) -> dict[str, Any]:
    """Names, dtypes and shapes of what a model's signatures take and give."""
    return _model(model_name).metadata


def _model(name):
    model = app.state.models.get_model(name)
    if model is None:
        raise ModelNotFound(name)
    return model


async def _no_repository(path: str) -> JSONResponse:
    """kserve lets every client unload a model; this server does not."""
    return JSONResponse({"error": "Models are fixed when it starts."}, status_code=403)


async def _failed_instances(_, error):
    headers = {"Retry-After": "1"} if error.status == 503 else None
    return JSONResponse(error.body, status_code=error.status, headers=headers)


async def _too_large(_, error):
    return JSONResponse({"error": str(error)}, status_code=413)


async def _too_slow(_, error):
    # The connection cannot be used again: the rest of the request may still come.
    headers = {"Connection": "close"}
    return JSONResponse({"error": str(error)}, status_code=408, headers=headers)


async def _overloaded(_, error):
    headers = {"Retry-After": "1"}
    return JSONResponse({"error": str(error)}, status_code=503, headers=headers)


def _without_clients_mistakes(record):
    """A filter: kserve logs a wrong request with a traceback, as if it were a fault."""
    error = record.exc_info and record.exc_info[1]
    return not isinstance(error, (InvalidInput, ModelNotFound))


class _Versions:
    """ASGI middleware for paths that name a version, `/v1/models/NAME/versions/N`.

    The one that is `served` has the answers of the path without a version.
    """

    _PATH = re.compile(r"(/v1/models/([^/:]+))/versions/([^/:]+)(:[^/]*|/metadata)?")

    def __init__(self, app, served):
        self.app = app
        self.served = served

    async def __call__(self, scope, receive, send):
        match = scope["type"] == "http" and self._PATH.fullmatch(scope["path"])
        if not match:
            return await self.app(scope, receive, send)
        path, model, version, rest = match.groups()
        if self.served.get(model) != version:
            error = f"There is no version {version} of a model {model} here."
            answer = JSONResponse({"error": error}, status_code=404)
            return await answer(scope, receive, send)
        path += rest or ""
        scope = {**scope, "path": path, "raw_path": path.encode()}
        return await self.app(scope, receive, send)


class _TooLarge(Exception):
    """A request has more bytes than may be."""


class _TooSlow(Exception):
    """A request's next bytes do not come."""


class _LimitedBodies:
    """ASGI middleware that refuses bodies of more than `max_bytes`.

    It also refuses, with a 503, what would make all open requests together more than
    `max_open` bytes, and, with a 408, a body whose next bytes do not come for
    `seconds`.
    """

    def __init__(self, app, max_bytes, max_open, seconds):
        self.app = app
        self.max_bytes = max_bytes
        self.max_open = max_open
        self.seconds = seconds
        self.open = 0

    async def __call__(self, scope, receive, send):
        size, complete = 0, False

        async def receive_limited():
            nonlocal size, complete
            try:
                # After the body, the next message comes when the client goes.
                limit = None if complete else self.seconds
                message = await asyncio.wait_for(receive(), limit)
            except asyncio.TimeoutError as error:
                raise _TooSlow(
                    f"Nothing more of the request came in {self.seconds:g} s."
                ) from error
            complete = not message.get("more_body")
            received = len(message.get("body", b""))
            size += received
            self.open += received
            if size > self.max_bytes:
                raise _TooLarge(f"A request may have at most {self.max_bytes} bytes.")
            if self.open > self.max_open:
                raise Overloaded(
                    f"Open requests have more than {self.max_open} bytes together. "
                    "Try again later."
                )
            return message

        try:
            await self.app(scope, receive_limited, send)
        except ClientDisconnect:  # it went in mid-request; there is nobody to answer
            pass
        finally:
            self.open -= size
