"""The events that the small apps send and the ways they read. Knows ASGI's words and nothing else."""

import json
from collections.abc import Awaitable, Callable, Iterable
from typing import Any

Scope = dict[str, Any]
Event = dict[str, Any]
Receive = Callable[[], Awaitable[Event]]
Send = Callable[[Event], Awaitable[None]]
App = Callable[[Scope, Receive, Send], Awaitable[Any]]

PATIENCE = 0.3  # seconds that an app waits for an event that may never come


def start(status: int = 200, fields: Iterable[tuple[bytes, bytes]] = ()) -> Event:
    return {"type": "http.response.start", "status": status, "headers": list(fields)}


def body(content: bytes = b"", *, more: bool = False) -> Event:
    return {"type": "http.response.body", "body": content, "more_body": more}


def length(count: int) -> tuple[bytes, bytes]:
    return (b"content-length", str(count).encode())


async def answer(send: Send, content: bytes, *, status: int = 200) -> None:
    """A whole response in two events, with its length: what most apps send."""
    await send(start(status, [(b"content-type", b"text/plain"), length(len(content))]))
    await send(body(content))


async def answer_json(send: Send, value: Any) -> None:
    content = json.dumps(value, sort_keys=True).encode()
    await send(start(200, [(b"content-type", b"application/json"), length(len(content))]))
    await send(body(content))


async def read(receive: Receive) -> int | None:
    """The number of bytes of the request content, or None if the client left before its end."""
    total = 0
    while True:
        event = await receive()
        if event["type"] != "http.request":
            return None
        total += len(event.get("body", b""))
        if not event.get("more_body", False):
            return total
