"""The page's guard: who may ask, and what a browser may do with the answers."""

import secrets
from collections.abc import Awaitable, Callable, Iterable, MutableMapping
from typing import Any, TypeAlias

Scope: TypeAlias = MutableMapping[str, Any]
Message: TypeAlias = MutableMapping[str, Any]
Receive: TypeAlias = Callable[[], Awaitable[Message]]
Send: TypeAlias = Callable[[Message], Awaitable[None]]
App: TypeAlias = Callable[[Scope, Receive, Send], Awaitable[None]]

HEADERS = {
    # No script, style or picture but the page's own: hostile text stays text.
    "content-security-policy": "default-src 'none'; script-src 'self'; "
    "style-src 'self'; img-src 'self' blob:; connect-src 'self'; form-action 'none'; "
    "base-uri 'none'; frame-ancestors 'none'",
    "cross-origin-opener-policy": "same-origin",
    "cross-origin-resource-policy": "same-origin",
    "referrer-policy": "no-referrer",
    "x-content-type-options": "nosniff",
}


class Guard:
    """Lets a request through that knows the token and comes from the page itself.

    All addresses begin with the token. A request that names another host (a foreign
    name that was made to point here) or comes from another origin gets a 403, and so
    does one without the token.

    Args:
        app: The application.
        token: The first part of every path.
        hosts: What the header `Host` may be.
    """

    def __init__(self, app: App, token: str, hosts: Iterable[str]) -> None:
        self._app = app
        self._token = token.encode()
        self._hosts = {host.encode() for host in hosts}
        self._origins = {b"http://" + host for host in self._hosts}

    async def __call__(self, scope: Scope, receive: Receive, send: Send) -> None:
        """Answers a request, or lets the application do so."""
        if scope["type"] == "lifespan":
            await self._app(scope, receive, send)
            return
        if scope["type"] != "http" or not self._may(scope):
            await _refuse(send)
            return

        async def send_guarded(message: Message) -> None:
            if message["type"] == "http.response.start":
                message["headers"] = [*message["headers"], *_encoded(HEADERS)]
            await send(message)

        await self._app(scope, receive, send_guarded)

    def _may(self, scope):
        headers = dict(scope["headers"])
        _, _, rest = scope["path"].encode("utf-8", "surrogateescape").partition(b"/")
        token = rest.partition(b"/")[0]
        return (
            secrets.compare_digest(token, self._token)
            and headers.get(b"host") in self._hosts
            and headers.get(b"origin", next(iter(self._origins))) in self._origins
        )


async def _refuse(send):
    headers = _encoded({**HEADERS, "content-type": "text/plain; charset=utf-8"})
    start = {"type": "http.response.start", "status": 403, "headers": headers}
    await send(start)
    text = b"Open the address that `annotator review` printed, with its token.\n"
    await send({"type": "http.response.body", "body": text})


def _encoded(headers):
    return [(name.encode(), value.encode()) for name, value in headers.items()]
