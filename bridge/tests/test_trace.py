"""The lines of --log-level trace, held against uvicorn's message logger."""

import asyncio
from typing import Any

import pytest
from uvicorn.middleware.message_logger import MessageLoggerMiddleware

from bridgecheck.bridge.trace import Traced

from .lines import Line, recorded

SCOPES = [
    {"type": "http", "client": ("127.0.0.1", 5), "headers": [(b"a", b"b")], "path": "/"},
    {"type": "websocket", "client": None, "headers": []},
    {"type": "lifespan", "state": {}},
]
RECEIVED = [
    {"type": "http.request", "body": b"12345", "more_body": False},
    {"type": "http.request", "body": b""},
    {"type": "websocket.receive", "bytes": None, "text": "héllo"},
    {"type": "websocket.receive", "bytes": b"12", "text": None},
]
SENT = [
    {"type": "http.response.start", "status": 200, "headers": [(b"a", b"b")]},
    {"type": "http.response.start", "status": 200, "headers": None},
    {"type": "http.response.body", "body": bytearray(3)},
    {"type": "lifespan.startup.complete"},
]
END: Any = [None, "result", ValueError("wrong"), asyncio.CancelledError("gone"), KeyError()]


def played(wrapper: Any, end: Any) -> tuple[list[Line], list[Any], Any]:
    passed: list[Any] = []
    events = iter(RECEIVED)

    async def app(scope: Any, receive: Any, send: Any) -> Any:
        passed.append(scope)
        for _ in RECEIVED:
            passed.append(await receive())
        for message in SENT:
            await send(message)
        if isinstance(end, BaseException):
            raise end
        return end

    async def receive() -> Any:
        return next(events)

    async def send(message: Any) -> None:
        passed.append(message)

    call = wrapper(app)
    results: list[Any] = []
    with recorded("uvicorn.asgi", level=5) as lines:
        for scope in SCOPES:
            events = iter(RECEIVED)
            coroutine = call(scope, receive, send)
            try:
                coroutine.send(None)
            except StopIteration as stop:
                results.append(stop.value)
            except BaseException as error:
                results.append(error)
    return lines, passed, results


@pytest.mark.parametrize("end", END, ids=repr)
def test_lines_are_uvicorns_and_events_pass_unchanged(end: Any) -> None:
    lines, passed, results = played(Traced, end)
    assert (lines, passed, results) == played(MessageLoggerMiddleware, end)
    assert passed == [part for scope in SCOPES for part in (scope, *RECEIVED, *SENT)]
    assert lines[0] == ("TRACE", "127.0.0.1:5 - ASGI [1] Started scope=" + repr(SCOPES[0] | {"headers": "<...>"}), None)
    assert len(lines) == len(SCOPES) * (2 + len(RECEIVED) + len(SENT))


@pytest.mark.parametrize("wrapper", [Traced, MessageLoggerMiddleware])
def test_a_message_that_is_none(wrapper: Any) -> None:
    async def app(scope: Any, receive: Any, send: Any) -> None:
        await send(None)

    with recorded("uvicorn.asgi", level=5), pytest.raises(AttributeError):
        wrapper(app)({"type": "http"}, None, None).send(None)
