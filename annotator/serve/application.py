"""The web application: the routes that there are, and what a refusal looks like."""

import asyncio
import functools
import json
import secrets
import time
from collections.abc import Sequence
from typing import Any

import prometheus_client as prometheus
from starlette.applications import Starlette
from starlette.exceptions import HTTPException
from starlette.middleware import Middleware
from starlette.requests import ClientDisconnect, Request
from starlette.responses import HTMLResponse, JSONResponse, Response
from starlette.routing import Route
from starlette.types import ASGIApp, Receive, Scope, Send

from annotator.serve.limits import Bodies, Limits, Refusal, Token, unless_gone
from annotator.serve.page import PAGE, POLICY
from annotator.serve.predictor import FailedInstances, Predictor
from annotator.serve.request_body import BadRequest
from annotator.serve.served_model import Overloaded


class Application:
    """The routes, of models that are fixed.

    Args:
        models: The models.
        limits: What bodies may be.
        token: A bearer token that requests must have; `None` for none.

    Attributes:
        asgi: The ASGI application.
    """

    def __init__(
        self,
        models: Sequence[Predictor],
        limits: Limits | None = None,
        token: str | None = None,
    ) -> None:
        self.models = {model.name: model for model in models}
        self.bodies = Bodies(limits or Limits())
        middleware = [Middleware(_Measured, models=self.models)]
        if token is not None:
            middleware.append(Middleware(Token, token=token))
        model, version = "/v1/models/{name}", "/v1/models/{name}/versions/{version}"
        routes = [
            Route("/", self._page, methods=["GET"]),
            Route("/", self._describe, methods=["POST"]),
            Route("/metrics", _metrics, methods=["GET"]),
            Route("/v1/models", self._names, methods=["GET"]),
        ]
        for path in (model, version):
            routes += [
                Route(f"{path}:predict", self._predict, methods=["POST"]),
                Route(f"{path}/metadata", self._metadata, methods=["GET"]),
                Route(path, self._status, methods=["GET"]),
            ]
        handlers: dict[Any, Any] = {
            FailedInstances: _failed_instances,
            Overloaded: _overloaded,
            BadRequest: _bad_request,
            Refusal: _refusal,
            HTTPException: _no_route,
            ClientDisconnect: _nobody,
            Exception: _fault,
        }
        self.asgi = Starlette(
            routes=routes, middleware=middleware, exception_handlers=handlers
        )
        self.asgi.router.redirect_slashes = False  # to what a client says we are called

    async def _page(self, request: Request) -> Response:
        nonce = secrets.token_urlsafe(16)
        headers = {"Content-Security-Policy": POLICY.format(nonce=nonce)}
        return HTMLResponse(PAGE.replace("NONCE", nonce), headers=headers)

    async def _describe(self, request: Request) -> Response:
        """What all models say of image files: `{"predictions": [{NAME: ...}]}`."""

        async def describe(body):
            kind = request.headers.get("content-type", "")
            answers = await asyncio.gather(
                *(model.predict(body, kind) for model in self.models.values())
            )
            rows = zip(*(answer["predictions"] for answer in answers), strict=True)
            return {"predictions": [_by_name(self.models, row) for row in rows]}

        return await self._answer(request, describe)

    async def _predict(self, request: Request) -> Response:
        model = self._model(request)
        kind = request.headers.get("content-type", "")
        return await self._answer(request, lambda body: model.predict(body, kind))

    async def _names(self, request: Request) -> Response:
        return JSONResponse({"models": sorted(self.models)})

    async def _status(self, request: Request) -> Response:
        """TensorFlow Serving's answer to `GET /v1/models/NAME`."""
        status = {"error_code": "OK", "error_message": ""}
        version = {"version": self._model(request).version, "state": "AVAILABLE"}
        return JSONResponse({"model_version_status": [{**version, "status": status}]})

    async def _metadata(self, request: Request) -> Response:
        """Names, dtypes and shapes of what a model's signatures take and give."""
        return JSONResponse(self._model(request).metadata)

    def _model(self, request):
        name = request.path_params["name"]
        model = self.models.get(name)
        if model is None:
            raise Refusal(404, f"There is no model {name} here.")
        version = request.path_params.get("version", model.version)
        if version != model.version:
            raise Refusal(404, f"There is no version {version} of a model {name} here.")
        return model

    async def _answer(self, request, work):
        async with self.bodies.of(request) as body:
            answering = work(body.getvalue())
            body.close()  # it still counts as open, and is not held twice
            answer = await unless_gone(request, answering)
            content = await asyncio.to_thread(json.dumps, answer, allow_nan=False)
        return Response(content, media_type="application/json")


def _by_name(names, values):
    return dict(zip(names, values, strict=True))


async def _failed_instances(_, error):
    headers = {"Retry-After": str(error.seconds)} if error.status == 503 else None
    return JSONResponse(error.body, status_code=error.status, headers=headers)


async def _overloaded(_, error):
    headers = {"Retry-After": str(error.seconds)}
    return JSONResponse({"error": str(error)}, status_code=503, headers=headers)


async def _bad_request(_, error):
    return JSONResponse({"error": str(error)}, status_code=400)


async def _refusal(_, error):
    content = {"error": str(error)}
    return JSONResponse(content, status_code=error.status, headers=error.headers)


async def _no_route(_, error):
    content = {"error": error.detail}
    return JSONResponse(content, error.status_code, headers=error.headers)


async def _nobody(*_):
    """An answer that nobody reads: the client went."""
    return Response(status_code=499)


async def _fault(*_):
    error = "A fault of the server; its log says more."
    return JSONResponse({"error": error}, status_code=500)


_REQUESTS = prometheus.Counter(
    "annotator_requests", "Requests answered.", ["method", "status"]
)
_SECONDS = prometheus.Histogram("annotator_request_seconds", "Time of an answer.")
_WAITING = prometheus.Gauge("annotator_waiting", "Inputs that wait.", ["model"])


async def _metrics(request: Request) -> Response:
    return Response(
        prometheus.generate_latest(), media_type=prometheus.CONTENT_TYPE_LATEST
    )


def _waiting(served):
    return served.waiting


class _Measured:
    """ASGI middleware that counts answers, for `GET /metrics`."""

    def __init__(self, app: ASGIApp, models: dict[str, Predictor]) -> None:
        self.app = app
        for name, model in models.items():
            served = model.model
            _WAITING.labels(name).set_function(functools.partial(_waiting, served))

    async def __call__(self, scope: Scope, receive: Receive, send: Send) -> None:
        start = time.perf_counter()

        async def counted(message):
            if message["type"] == "http.response.start":
                method = scope["method"] if scope["method"] in _METHODS else "other"
                _REQUESTS.labels(method, message["status"]).inc()
            await send(message)

        try:
            await self.app(scope, receive, counted)
        finally:
            _SECONDS.observe(time.perf_counter() - start)


_METHODS = ("GET", "HEAD", "POST")
