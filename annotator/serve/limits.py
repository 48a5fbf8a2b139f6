"""What a client may ask of the server: sizes, times, and the token it must have."""

import asyncio
import contextlib
import dataclasses
import hmac
import io
from collections.abc import AsyncIterator, Coroutine
from typing import Any, TypeVar

from starlette.requests import ClientDisconnect, Request
from starlette.responses import JSONResponse
from starlette.types import ASGIApp, Receive, Scope, Send

from annotator.serve.served_model import Overloaded

Answer = TypeVar("Answer")


@dataclasses.dataclass(frozen=True)
class Limits:
    """Limits of connections and requests.

    Attributes:
        connections: Connections at a time.
        header_bytes: Bytes of a request before its body.
        header_seconds: How long these may take, from the connection's begin or the
            last answer.
        body_bytes: Bytes of a body.
        body_seconds: How long a body may take, as a whole.
        open_bytes: Bytes of the bodies of all requests that are not yet answered.
    """

    connections: int = 512
    header_bytes: int = 2**15
    header_seconds: float = 10.0
    body_bytes: int = 64 * 2**20
    body_seconds: float = 50.0
    open_bytes: int = 256 * 2**20


class Refusal(Exception):
    """A request that is refused.

    Args:
        status: HTTP status of the answer.
        message: What it says.
        headers: More headers of it.
    """

    def __init__(self, status: int, message: str, **headers: str) -> None:
        super().__init__(message)
        self.status = status
        self.headers = headers


class Bodies:
    """Reads the bodies of requests within limits.

    Args:
        limits: The limits.
    """

    def __init__(self, limits: Limits) -> None:
        self.limits = limits
        self.open = 0  # bytes

    @contextlib.asynccontextmanager
    async def of(self, request: Request) -> AsyncIterator[io.BytesIO]:
        """The body of a request, which counts as open as long as the context.

        Args:
            request: The request.

        Yields:
            The body, whose value is not copied when it is asked for.

        Raises:
            Refusal: When it has too many bytes or takes too long.
            Overloaded: When all open ones have too many together.
            ClientDisconnect: When the client goes meanwhile.
        """
        body = io.BytesIO()
        counted = 0
        clock = asyncio.get_running_loop().time
        end = clock() + self.limits.body_seconds
        try:
            more = True
            self._check_size(request.headers.get("content-length"))
            while more:
                try:
                    message = await asyncio.wait_for(request.receive(), end - clock())
                except asyncio.TimeoutError as error:
                    # The rest may still come: the connection cannot be used again.
                    raise Refusal(
                        408,
                        f"The request did not come in {self.limits.body_seconds:g} s.",
                        Connection="close",
                    ) from error
                if message["type"] == "http.disconnect":
                    raise ClientDisconnect()
                more = message.get("more_body", False)
                size = body.write(message.get("body", b""))
                self.open += size
                counted += size
                self._check_size(counted)
                if self.open > self.limits.open_bytes:
                    raise Overloaded(
                        f"Open requests have more than {self.limits.open_bytes} bytes "
                        "together. Try again later."
                    )
            yield body
        finally:
            self.open -= counted

    def _check_size(self, size):
        if size is not None and int(size) > self.limits.body_bytes:
            raise Refusal(
                413, f"A request may have at most {self.limits.body_bytes} bytes."
            )


async def unless_gone(request: Request, work: Coroutine[Any, Any, Answer]) -> Answer:
    """Does what a client waits for, and stops when it goes.

    Args:
        request: Its request, whose body was read.
        work: What is done.

    Returns:
        The result of `work`.

    Raises:
        ClientDisconnect: When the client went before it was there.
    """
    task = asyncio.ensure_future(work)
    gone = asyncio.ensure_future(_disconnected(request))
    either: set[asyncio.Future[Any]] = {task, gone}
    try:
        await asyncio.wait(either, return_when=asyncio.FIRST_COMPLETED)
        if not task.done():
            raise ClientDisconnect()
        return task.result()
    finally:
        task.cancel()
        gone.cancel()


async def _disconnected(request):
    while (await request.receive())["type"] != "http.disconnect":
        pass


class Token:
    """ASGI middleware that asks for a bearer token (RFC 6750), but for the page.

    Args:
        app: What is behind it.
        token: The token.
    """

    def __init__(self, app: ASGIApp, token: str) -> None:
        self.app = app
        self.wanted = f"Bearer {token}".encode()

    async def __call__(self, scope: Scope, receive: Receive, send: Send) -> None:
        is_page = (scope.get("method"), scope["path"]) == ("GET", "/")
        if scope["type"] == "http" and not is_page:
            given = dict(scope["headers"]).get(b"authorization", b"")
            if not hmac.compare_digest(given, self.wanted):
                answer = JSONResponse(
                    {"error": "This server asks for a token."},
                    status_code=401,
                    headers={"WWW-Authenticate": "Bearer"},
                )
                return await answer(scope, receive, send)
        await self.app(scope, receive, send)
