"""The native front end (bridge/asgi over bridge/core): connections, HTTP, and the tasks that run the app. All else is Python beside it."""

import asyncio
import logging
from collections.abc import Awaitable, Callable
from typing import Any

class Cycle:
    """One request, and the call of the app that answers it; made by the server only. What its methods do is said in bridge/asgi/cycle.c."""

    @property
    def started(self) -> bool:
        """Whether the app has sent its response's start."""

    @property
    def over(self) -> bool:
        """Whether the response is complete, or the client gone."""

    def call(self) -> Awaitable[Any]: ...
    def receive(self) -> dict[str, Any] | None: ...
    def receiver(self) -> asyncio.Future[Any]: ...
    def received(self) -> dict[str, Any]: ...
    def send(self, message: Any) -> asyncio.Future[Any] | None: ...
    def sent(self, message: Any) -> None: ...
    def forget(self, future: asyncio.Future[Any]) -> None: ...
    def close(self) -> None: ...
    def finish(self) -> None: ...

class Session:
    """One WebSocket, and the call of the app that serves it; made by the server only. What its methods do is said in
    bridge/asgi/session_object.c."""

    complete: bool  # the handshake is answered, or the connection gone
    close_sent: bool  # the app or the server has closed it
    denial: Any  # what the app has said so far of a response that refuses; None: nothing

    @property
    def disconnected(self) -> bool: ...
    @property
    def open(self) -> bool: ...
    @property
    def closing(self) -> bool: ...
    @property
    def scope(self) -> dict[str, Any]: ...
    @property
    def offered(self) -> list[str]: ...
    def call(self) -> Awaitable[Any]: ...
    def receive(self) -> dict[str, Any] | None: ...
    def receiver(self) -> asyncio.Future[Any]: ...
    def sender(self) -> asyncio.Future[Any] | None: ...
    def forget(self, future: asyncio.Future[Any]) -> None: ...
    def push(self, event: dict[str, Any]) -> None: ...
    def accept(self, fields: list[tuple[bytes, bytes]], subprotocol: bytes | None) -> None: ...
    def refuse(self, status: int, reason: str, fields: list[tuple[bytes, bytes]], content: bytes) -> None: ...
    def send(self, data: Any) -> bool: ...
    def close(self, code: int, reason: bytes) -> bool: ...
    def finish(self) -> None: ...

class Server:
    """All of one process's connections. Belongs to the thread and loop it was made in; from another thread its methods raise RuntimeError.

    loop                 the running loop; libuv is a guest in it (add_reader, call_later, call_soon)
    app                  the ASGI 3 callable
    unavailable          the ASGI 3 callable that takes its place beyond the concurrency limit
    state                the lifespan's state; each request's scope gets a shallow copy
    faces                (run, receive, send), the coroutine functions of bridge/faces.py; each gets the request's cycle as first argument
    root_path            put before path and raw_path in every scope; ASCII
    asgi_version         scope["asgi"]["version"]: "3.0" or "2.0"
    default_fields       (name, value) of the fields that stand before the app's own in every response; names in lower case
    date_field           whether a date field, renewed each second, stands before these
    phrases              {status: reason phrase} for 100..599; a status that is not in it is refused in send
    timeout_keep_alive   seconds that a connection may stay idle after a response; 0 or more
    limit_concurrency    with this many connections or tasks a request is answered by `unavailable`; None: no limit
    logger               "uvicorn.error"
    access_logger        "uvicorn.access"
    log_access           called as log_access(scope, status) at each response start, where access_logger.hasHandlers() was true when the
                         connection was made; what it raises is raised in the app's send
    forwarded            called as forwarded(scope) for requests with an x-forwarded-for or x-forwarded-proto field, before the app sees the
                         scope: rewrites scope["client"] and scope["scheme"] in place. None: such fields are fields like any other
    reset_context        each request's task runs in a new, empty contextvars.Context
    """

    def __init__(
        self,
        *,
        loop: asyncio.AbstractEventLoop,
        app: Callable[..., Any],
        unavailable: Callable[..., Any],
        state: dict[str, Any],
        faces: tuple[Callable[..., Any], Callable[..., Any], Callable[..., Any]],
        root_path: str,
        asgi_version: str,
        default_fields: list[tuple[bytes, bytes]],
        date_field: bool,
        phrases: dict[int, str],
        timeout_keep_alive: float,
        limit_concurrency: int | None,
        logger: logging.Logger,
        access_logger: logging.Logger,
        log_access: Callable[[dict[str, Any], int], None],
        forwarded: Callable[[dict[str, Any]], None] | None,
        reset_context: bool,
    ) -> None: ...
    def listen(self, fd: int, backlog: int) -> None:
        """Accept connections on fd, a bound stream socket. The server owns fd from the call on, also where listening fails (OSError)."""

    def serve_websockets(
        self,
        *,
        faces: tuple[Callable[..., Any], Callable[..., Any], Callable[..., Any]],
        refused: Callable[[int, str], None],
        broken_text: Callable[[bytes], None],
        compresses: bool,
        max_size: int,
        max_queue: int,
        ping_interval: float,
        ping_timeout: float,
    ) -> None:
        """From now on offers to upgrade to WebSocket are taken up; before, and without, they are requests like any other.

        faces          (run, receive, send), the coroutine functions of bridge/websocket.py; each gets the session as first argument
        refused        called as refused(status, reason) where the server answers a handshake with an error
        broken_text    called as broken_text(data) for a text message that is no UTF-8; the session closes
        compresses     whether permessage-deflate is taken up
        max_size       bytes of a message
        max_queue      messages of one reading that are told before they are asked for
        ping_interval  seconds; 0: no pings
        ping_timeout   seconds; negative: none
        """

    def stop_listening(self) -> None:
        """Close the listening sockets. Connections stay."""

    def shutdown(self) -> None:
        """Idle connections close now, the others after the response they are in."""

    def cancel(self, message: str) -> None:
        """Cancel every running task with this message."""

    def close(self) -> None:
        """End all: listening sockets, timers, connections without a further byte. Nothing is left in the loop. May be called twice."""

    @property
    def connections(self) -> int:
        """Connections that are open, those included that have bytes left to write."""

    @property
    def tasks(self) -> int:
        """Tasks that run the app, also those whose connection is gone."""

    @property
    def total_requests(self) -> int:
        """Responses completed since the server was made."""
