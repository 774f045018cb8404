"""The app of most live tests: /FILE.FUNCTION/KEY calls that function of a file here, with a call that is known by KEY.

/notes/KEY answers what this call has noted, /go/KEY lets it go on where it waits for that. So a test sees into the app, and steers it,
without a wait of its own.
"""

import asyncio
import importlib
import json
from collections import defaultdict
from typing import Any
from urllib.parse import parse_qsl


class Call:
    """A request, and what is known of it from outside."""

    def __init__(self) -> None:
        self.notes: list[Any] = []
        self._gate = asyncio.Semaphore(0)

    def note(self, *values: Any) -> None:
        self.notes.append(values[0] if len(values) == 1 else list(values))

    async def gate(self) -> None:
        """Wait for one /go."""
        await self._gate.acquire()

    def open(self) -> None:
        self._gate.release()

    async def raised(self, awaitable: Any) -> Any:
        """Note what the awaitable raises, or "fine". Returns what it returns."""
        try:
            result = await awaitable
        except Exception as error:
            self.note(type(error).__name__, str(error))
            return None
        self.note("fine")
        return result


calls: defaultdict[str, Call] = defaultdict(Call)


async def answer(send: Any, body: bytes = b"done", *, status: int = 200, fields: Any = ()) -> None:
    headers = [(b"content-length", b"%d" % len(body)), *fields]
    await send({"type": "http.response.start", "status": status, "headers": headers})
    await send({"type": "http.response.body", "body": body})


async def read(receive: Any) -> bytes:
    """The whole content."""
    pieces = []
    while True:
        event = await receive()
        if event["type"] == "http.disconnect":
            raise ConnectionError("disconnected")
        pieces.append(event["body"])
        if not event["more_body"]:
            return b"".join(pieces)


def query(scope: Any) -> dict[str, str]:
    return dict(parse_qsl(scope["query_string"].decode()))


async def lifespan(receive: Any, send: Any) -> None:
    await receive()
    await send({"type": "lifespan.startup.complete"})
    await receive()
    await send({"type": "lifespan.shutdown.complete"})


async def app(scope: Any, receive: Any, send: Any) -> Any:
    if scope["type"] == "lifespan":
        return await lifespan(receive, send)
    name, _, key = scope["path"].strip("/").partition("/")
    match name:
        case "notes":
            return await answer(send, json.dumps(calls[key].notes).encode())
        case "go":
            calls[key].open()
            return await answer(send)
        case "":
            return await answer(send)
    file, _, function = name.partition(".")
    call = calls[key]
    try:
        return await getattr(importlib.import_module(file), function)(call, scope, receive, send)
    finally:
        call.note("over")
