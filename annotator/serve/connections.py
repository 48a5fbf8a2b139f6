"""Connections that end: uvicorn's, with limits that it does not have itself."""

import asyncio
import contextlib
import dataclasses
import signal
import threading
from collections.abc import Iterator
from types import FrameType
from typing import Any

import uvicorn
from starlette.types import ASGIApp
from uvicorn.protocols.http.h11_impl import H11Protocol

from annotator.serve.limits import Limits

_BUSY = (
    b"HTTP/1.1 503 Service Unavailable\r\nRetry-After: 1\r\nConnection: close\r\n"
    b"Content-Length: 0\r\n\r\n"
)
# That a server has open besides, and more connections that are told it is full.
_OTHER_FILES = 48
# An idle connection is kept so long for the next request.
_KEEP_ALIVE_SECONDS = 5
# What was sent before the server is told to end has so long to be read.
_WAY_SECONDS = 0.5
# A request whose body still comes when the server is told to end.
_LAST_SECONDS = 3.0


def fitting(limits: Limits) -> Limits:
    """Raises how many files the process may have open, or lowers the limit.

    Args:
        limits: The limits that are wanted.

    Returns:
        The same with as many connections as there can be.
    """
    try:
        import resource
    except ImportError:  # not on every system
        return limits
    kind = resource.RLIMIT_NOFILE
    soft, hard = resource.getrlimit(kind)
    wanted = limits.connections + _OTHER_FILES
    if resource.RLIM_INFINITY in (soft, hard) or soft >= wanted:
        return limits
    soft = min(wanted, hard)
    resource.setrlimit(kind, (soft, hard))
    connections = min(limits.connections, max(soft - _OTHER_FILES, 1))
    return dataclasses.replace(limits, connections=connections)


class Connection(H11Protocol):
    """A connection that is closed where a client takes too long.

    Attributes:
        limits: The limits.
    """

    limits = Limits()

    def connection_made(self, transport: asyncio.Transport) -> None:
        super().connection_made(transport)
        self._stalled: asyncio.TimerHandle | None = None
        self._watch: asyncio.TimerHandle | None = None
        self._begin_waiting()
        if len(self.connections) > self.limits.connections:
            transport.write(_BUSY)
            transport.close()

    def connection_lost(self, exc: Exception | None) -> None:
        for timer in (self._watch, self._stalled):
            if timer is not None:
                timer.cancel()
        super().connection_lost(exc)

    def on_response_complete(self) -> None:
        self._begin_waiting()
        super().on_response_complete()

    def pause_writing(self) -> None:
        super().pause_writing()
        seconds = self.limits.body_seconds
        self._stalled = self.loop.call_later(seconds, self.transport.abort)

    def resume_writing(self) -> None:
        if self._stalled is not None:
            self._stalled.cancel()
        super().resume_writing()

    @property
    def is_incomplete(self) -> bool:
        """Whether a request has begun and its body has not yet come."""
        cycle = self.cycle
        return cycle is not None and not cycle.response_complete and cycle.more_body

    def _begin_waiting(self):
        """From here on, the next request has its time."""
        if self._watch is not None:
            self._watch.cancel()
        self._watch = self.loop.call_later(self.limits.header_seconds, self._look)

    def _look(self):
        cycle = self.cycle
        if cycle is None or cycle.response_complete:  # no whole header came
            self.transport.abort()
        elif cycle.more_body:  # `Bodies` has answered by then, if it could
            seconds = self.limits.body_seconds
            self._watch = self.loop.call_later(seconds, self._end_upload)

    def _end_upload(self):
        if self.is_incomplete:
            self.transport.abort()


class Server(uvicorn.Server):
    """A uvicorn server that ends in order: SIGTERM gives exit code 0.

    Args:
        app: The ASGI application.
        host: Address to listen at.
        port: HTTP port.
        limits: The limits.
        **options: As in `uvicorn.Config`.
    """

    def __init__(
        self, app: ASGIApp, host: str, port: int, limits: Limits, **options: Any
    ) -> None:
        config = uvicorn.Config(
            app,
            host,
            port,
            http=type("LimitedConnection", (Connection,), {"limits": limits}),
            ws="none",
            lifespan="off",
            interface="asgi3",
            log_level="warning",
            access_log=False,
            server_header=False,
            proxy_headers=False,
            backlog=limits.connections,
            h11_max_incomplete_event_size=limits.header_bytes,
            timeout_keep_alive=_KEEP_ALIVE_SECONDS,
            **options,
        )
        super().__init__(config)
        self.interrupted = False

    @contextlib.contextmanager
    def capture_signals(self) -> Iterator[None]:
        """Ends the server at a signal and not, after that, the process by it."""
        if threading.current_thread() is not threading.main_thread():
            yield  # signals are the main thread's
            return
        handlers = {
            number: signal.signal(number, self.handle_exit)
            for number in (signal.SIGINT, signal.SIGTERM)
        }
        try:
            yield
        finally:
            for number, handler in handlers.items():
                signal.signal(number, handler)

    def handle_exit(self, sig: int, frame: FrameType | None) -> None:
        """Takes a signal."""
        self.interrupted |= sig == signal.SIGINT
        super().handle_exit(sig, frame)

    async def shutdown(self, sockets: Any = None) -> None:
        """Takes no more connections, answers what has come, and gives up the rest."""

        def give_up():
            for connection in list(self.server_state.connections):
                if getattr(connection, "is_incomplete", True):
                    connection.transport.abort()

        for server in self.servers:
            await self._take_the_last(server)
        # What clients had sent by then is on its way through the loop.
        await asyncio.sleep(_WAY_SECONDS)
        asyncio.get_running_loop().call_later(_LAST_SECONDS, give_up)
        await super().shutdown(sockets)

    async def _take_the_last(self, server):
        """Closes a listening server after the connections that wait to be taken.

        The system has promised them an answer already, and would reset them.
        """
        loop = asyncio.get_running_loop()
        listening = [each.dup() for each in server.sockets]  # still open, and unread
        server.close()
        waiting = []
        for each in listening:
            each.setblocking(False)
            with each, contextlib.suppress(OSError):  # at the latest, none is left
                for _ in range(self.config.backlog):
                    waiting.append(each.accept()[0])
        for each in waiting:
            each.setblocking(False)
        taken = [
            loop.connect_accepted_socket(self._protocol, each, ssl=self.config.ssl)
            for each in waiting
        ]
        # One that has gone, or says nothing where TLS begins, holds up no other.
        with contextlib.suppress(asyncio.TimeoutError):
            together = asyncio.gather(*taken, return_exceptions=True)
            await asyncio.wait_for(together, _LAST_SECONDS)

    def _protocol(self):
        return self.config.http_protocol_class(
            config=self.config,
            server_state=self.server_state,
            app_state=self.lifespan.state,
        )
